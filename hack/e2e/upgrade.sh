# A release that gets another value: the operator's Pods are replaced, nobody else's. The value brings the optional definitions,
# which the parts after this one use.
# shellcheck shell=bash

check_upgrade() {
  step "helm upgrade"
  local pods objects replicas
  check_logs
  pods=$(served_pods)
  objects=$(versions)
  replicas=$(operator_pods)
  check "an unknown value is refused" prints 'replica' refused_upgrade
  check "and changes nothing" equals "1 $replicas" echo "$(revision) $(operator_pods)"
  must "helm upgrade with another value" release upgrade --reset-then-reuse-values --set optionalCrds=true
  check "it is the release's second revision" equals 2 revision
  check "both replicas are other Pods" within 30 equals "2 0" others_of "$replicas"
  must "one replica leads" within 40 leads
  check "it has brought DynamoGraphDeployment and DataScienceCluster" within 30 k get \
    crd/dynamographdeployments.nvidia.com crd/datascienceclusters.datasciencecluster.opendatahub.io
  check "every resource is looked at again" within 30 no_work_left
  check "no Pod of a model was restarted" equals "$pods" served_pods
  check "no object of a model was changed" equals "$objects" versions
}

refused_upgrade() {
  not release upgrade --reset-then-reuse-values --set replica=3 2>&1
}

revision() { "$HELM" list -n llm-system -o json | sed -E 's/.*"revision":"?([0-9]+).*/\1/'; }

operator_pods() {
  k get pods -n llm-system -l app=llm-operator -o 'jsonpath={.items[*].metadata.uid}'
}

# others_of "UID UID": how many Pods of the operator there are, and how many of them are these.
others_of() {
  local uid all=0 same=0
  for uid in $(operator_pods); do
    all=$((all + 1))
    if [[ " $1 " == *" $uid "* ]]; then same=$((same + 1)); fi
  done
  echo "$all $same"
}

# Pods of models, of all kinds, and how often their containers were started. The broken ones of the part diagnosis crash by themselves.
served_pods() {
  k get pods -A -l app.kubernetes.io/managed-by=llm-operator --field-selector "metadata.namespace!=$NS_BROKEN" \
    -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}'
}

# The leader's queues are empty, after it has done something.
no_work_left() {
  leaders_metrics | awk '/^llm_operator_queue_depth/ {depth += $NF} /^llm_operator_leader 1/ {leads = 1} END {exit !leads || depth > 0}'
}
