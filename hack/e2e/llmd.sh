# Llmd and DataScienceCluster: Helm in the operator's own image installs, upgrades, repairs and removes charts that it fetches in the
# cluster (S1-1 to S1-31).
# shellcheck shell=bash

check_llmd() {
  step "llmd"
  must "charts are served in the cluster" serve_charts
  check_llmd_waits
  must "the cluster knows the kinds of the charts" define_missing_kinds
  must "default-llm-d is Ready" within "$((TIMEOUT + 60))" llmd_ready
  k get llmds -o wide >&2
  "$HELM" list -n "$NS_LLMD" >&2
  check "three releases, each installed once" equals "llm-d-infra 1.3.3 1
inferencepool 1.0.1 1
llm-d-modelservice 0.2.11 1" llmd_releases
  check "Helm knows them as deployed" equals "deployed deployed deployed" helm_states
  check "one label finds the Pods" equals "2" llmd_pods
  check "gateway and route fit together" equals "inference-gateway inference-gateway inferencepool" llmd_route
  check "the model answers" llmd_answers
  check_llmd_edits
  check "kubectl delete llmd" k delete llmds default-llm-d --timeout="${TIMEOUT}s"
  check "nothing of it is left" within 60 nothing llmd_rest
  check_data_science_cluster
}

# Without the kinds of the charts it says which are missing, and for what.
check_llmd_waits() {
  local missing
  missing=$(missing_kinds)
  must "Llmd applies" llmd_apply llmd
  [ -n "$missing" ] || return 0
  check "kinds are missing, and it says so" within 60 equals False llmd '{.status.conditions[?(@.type=="DependenciesAvailable")].status}'
  say "$(llmd '{.status.conditions[?(@.type=="DependenciesAvailable")].message}')"
}

check_llmd_edits() {
  local pod
  pod=$(decode_pods)
  k patch llmd default-llm-d --type=merge -p '{"spec":{"modelService":{"values":{"decode":{"replicas":2}}},"infra":{"version":"v1.3.4"}}}' >/dev/null
  check "a value and a version are upgraded" within "$TIMEOUT" llmd_ready
  check "each by one revision" equals "llm-d-infra 1.3.4 2
inferencepool 1.0.1 1
llm-d-modelservice 0.2.11 2" llmd_releases
  check "there are two Pods now" equals 2 eval 'decode_pods | wc -w | tr -d " "'
  check "the first one is the same" prints "$pod" decode_pods
  k delete deployment -n "$NS_LLMD" inferencepool-epp --wait=false >/dev/null
  check "a deleted Deployment comes back" within 60 k get deployment -n "$NS_LLMD" inferencepool-epp
  check "without a new revision" prints "inferencepool 1.0.1 1" llmd_releases
  k patch llmd default-llm-d --type=merge -p '{"spec":{"infra":{"version":"9.9.9"}}}' >/dev/null
  check "a version that does not exist is told" within 60 equals ChartUnavailable llmd '{.status.conditions[?(@.type=="Ready")].reason}'
  say "$(llmd '{.status.conditions[?(@.type=="Ready")].message}')"
  check "the model answers meanwhile" llmd_answers
  k patch llmd default-llm-d --type=merge -p '{"spec":{"infra":{"version":"1.3.4"}}}' >/dev/null
  check "back at the version it is Ready" within "$TIMEOUT" llmd_ready
}

# Stays from here on: the parts after this one see it at rest, and without its operator.
check_data_science_cluster() {
  if ! data_science_cluster_is_ours; then
    say "DataScienceCluster belongs to others here: an Llmd stays in its place"
    must "Llmd applies once more" llmd_apply llmd
  else
    must "DataScienceCluster applies" llmd_apply data-science-cluster
    check "LlmdReady is True" within "$((TIMEOUT + 60))" equals "True" dsc '{.status.conditions[?(@.type=="LlmdReady")].status}'
    say "$(dsc '{.status.conditions[?(@.type=="LlmdReady")].message}')"
    check "the Llmd is its own" equals "DataScienceCluster default-dsc" llmd '{.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].name}'
  fi
  must "default-llm-d is Ready" within "$TIMEOUT" llmd_ready
  check "the model answers" llmd_answers
}

# check_llmd_after RUN: an operator that went and came back goes on with what it finds, then removes it.
check_llmd_after() {
  check "the new operator takes default-llm-d up again" within 30 prints llm-d-releases llmd '{.metadata.finalizers}'
  check "it is Ready" within 60 llmd_ready
  check "its Pods are the same, and no release has a new revision" equals "$1" llmd_run
  if data_science_cluster_is_ours; then
    k patch datascienceclusters default-dsc --type=merge -p '{"spec":{"components":{"llmd":{"managementState":"Removed"}}}}' >/dev/null
    check "managementState Removed: the Llmd goes" within "$TIMEOUT" nothing k get llmds -o name
    k delete datascienceclusters default-dsc --timeout=30s >/dev/null
  else
    k delete llmds default-llm-d --timeout="${TIMEOUT}s" >/dev/null
  fi
  check "nothing of llm-d is left" within 60 nothing llmd_rest
}

llmd_apply() { with_images <"config/e2e/llmd/$1.yaml" | sed -e "s|e2e-charts.llm-e2e:|e2e-charts.$NS:|" | k apply -f -; }

llmd() { k get llmds default-llm-d -o "jsonpath=$1"; }
dsc() { k get datascienceclusters default-dsc -o "jsonpath=$1"; }
data_science_cluster_is_ours() {
  [ "$(k get crd datascienceclusters.datasciencecluster.opendatahub.io --ignore-not-found \
    -o 'jsonpath={.metadata.labels.app\.kubernetes\.io/part-of}')" = llm-operator ]
}

llmd_ready() {
  equals "Ready/True/same" llmd_state
}
llmd_state() {
  llmd '{.status.phase}/{.status.conditions[?(@.type=="Ready")].status}/{.metadata.generation}/{.status.observedGeneration}' |
    awk -F/ '{print $1 "/" $2 "/" ($3 == $4 ? "same" : "old")}'
}
llmd_releases() { llmd '{range .status.releases[*]}{.name} {.version} {.revision}{"\n"}{end}'; }
helm_states() { "$HELM" list -n "$NS_LLMD" -o json | grep -oE '"status":"[a-z-]+"' | cut -d'"' -f4 | paste -sd' ' -; }

llmd_pods() { k get pods -n "$NS_LLMD" -l app.kubernetes.io/part-of=llm-d -o name | wc -l | tr -d ' '; }
decode_pods() { k get pods -n "$NS_LLMD" -l llm-d.ai/role=decode -o 'jsonpath={.items[*].metadata.uid}'; }
llmd_answers() {
  prints '"content"' ask "http://$(k get pods -n "$NS_LLMD" -l llm-d.ai/role=decode -o 'jsonpath={.items[0].status.podIP}'):8000/v1/chat/completions" "{$CHAT_JSON}"
}

# The gateway's name, and where the route comes from and leads to.
llmd_route() {
  k get gateways.gateway.networking.k8s.io -n "$NS_LLMD" -o 'jsonpath={.items[*].metadata.name} '
  k get httproutes.gateway.networking.k8s.io -n "$NS_LLMD" \
    -o 'jsonpath={.items[*].spec.parentRefs[*].name} {.items[*].spec.rules[*].backendRefs[*].name}'
}

# Which Pods serve, how often they were started, and the releases' revisions.
llmd_run() {
  k get pods -n "$NS_LLMD" -o 'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}'
  llmd_releases
}

# The operator has made the namespace, and removes it when nothing of others is in it; where a cluster has more kinds than it may list,
# the namespace stays, empty.
llmd_rest() {
  if k get namespace "$NS_LLMD" >/dev/null 2>&1; then
    k get all,secrets,httproutes,gateways,inferencepools.inference.networking.k8s.io -n "$NS_LLMD" -o name
  fi
  k get clusterroles,clusterrolebindings -l app.kubernetes.io/part-of=llm-d -o name
}
