#!/usr/bin/env bash
# Removes what the operator has made to serve external metrics, while no operator runs. An API that nobody answers disturbs
# the whole cluster, and keeps namespaces from being deleted. What another adapter serves stays.
#
#   KUBECTL=kubectl NAMESPACE=llm-system hack/release-external-metrics.sh
set -euo pipefail
KUBECTL=${KUBECTL:-kubectl}
NAMESPACE=${NAMESPACE:-llm-system}
OURS=app.kubernetes.io/managed-by=llm-operator,app.kubernetes.io/component=external-metrics

"$KUBECTL" delete apiservices.apiregistration.k8s.io -l "$OURS"
"$KUBECTL" delete services,secrets -n "$NAMESPACE" -l "$OURS"
"$KUBECTL" delete service -n "$NAMESPACE" --ignore-not-found llm-operator-external-metrics
