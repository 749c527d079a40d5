# Without the operator models go on serving; a new operator changes nothing; deleting resources leaves nothing.
# shellcheck shell=bash

CHILDREN=deployments,replicasets,pods,services,networkpolicies,poddisruptionbudgets,persistentvolumeclaims

check_uninstall() {
  step "uninstall"
  local before gpu_llm='' llmd='' definitions
  before=$(versions)
  definitions=$(k get crd -o name)
  if chosen gpu-llm; then gpu_llm=$(gpu_llm_run); fi
  if chosen llmd; then llmd=$(llmd_run); fi
  check "helm uninstall" release uninstall
  check "the operator's Pods are gone" k wait -n llm-system --for=delete pod -l app=llm-operator --timeout=60s
  check "and the rest of the release" nothing rest_of_release
  check "nothing waits for an operator that is gone" nothing finalizers
  check "definitions stay" equals "$definitions" k get crd -o name
  check "chat-service answers without the operator" prints '"content"' \
    ask "http://chat-service.$NS:8080/v1/chat/completions" "{$CHAT_JSON}"
  if [ -n "$gpu_llm" ]; then check "gpu-llm-pod answers without the operator" words in_gpu_llm ollama run tinyllama Hello; fi
  if [ -n "$llmd" ]; then check "llm-d answers without the operator" llmd_answers; fi

  check "make deploy" make --no-print-directory deploy IMG="$IMG" KUBECTL="$KUBECTL"
  check_operator_is_back "$before"
  check "make undeploy" make --no-print-directory undeploy KUBECTL="$KUBECTL"
  check "the operator's Pods are gone" k wait -n llm-system --for=delete pod -l app=llm-operator --timeout=60s
  check "helm install again" helm_install
  check_operator_is_back "$before"
  if [ -n "$gpu_llm" ]; then check_gpu_llm_after "$gpu_llm"; fi
  if [ -n "$llmd" ]; then check_llmd_after "$llmd"; fi

  k delete llmdeployments.llm.example.com,llmmodels.llm.example.com -n "$NS" --all >/dev/null
  k delete llmdeployments.llm.example.com,llmmodels.llm.example.com -n "$NS_STRICT" --all >/dev/null
  check "nothing of the pair is left" within 120 nothing children "$NS"
  check "nothing of vLLM and Ollama is left, claims neither" within 120 nothing children "$NS_STRICT"
}

# check_operator_is_back VERSIONS: whoever has installed it, it goes on with what it finds.
check_operator_is_back() {
  check "the operator is back" k rollout status -n llm-system deployment/llm-operator --timeout="${TIMEOUT}s"
  check "it leads" within 40 leads
  # The first reconcile of every resource is over when the new leader counts them.
  check "it knows every resource" within 30 prints 'llm_operator_resources{kind="LLMDeployment",state="Ready"} 3' leaders_metrics
  check "a new operator changed no object" equals "$1" versions
}

# What the chart, its Job or the operator made for themselves; the labels are those of config/rbac too.
rest_of_release() {
  k get deployments,services,secrets,configmaps,serviceaccounts,roles,rolebindings,jobs,pods,poddisruptionbudgets -n llm-system -o name |
    grep -vE '^(configmap/kube-root-ca.crt|serviceaccount/default)$' || true
  k get clusterroles,clusterrolebindings -l app.kubernetes.io/part-of=llm-operator -o name
  k get rolebindings -n kube-system -l app.kubernetes.io/part-of=llm-operator -o name
  k get apiservices -l app.kubernetes.io/managed-by=llm-operator -o name
}

finalizers() {
  k get autonodelabelers.premlabs.io,nvidiagpullms.infra.example.com,llmds.components.platform.opendatahub.io -A \
    -o 'jsonpath={range .items[*]}{.metadata.finalizers[*]}{end}'
}

# Name and resourceVersion of what the operator writes.
versions() {
  local namespace
  for namespace in "$NS" "$NS_STRICT"; do
    k get services,networkpolicies,poddisruptionbudgets,persistentvolumeclaims,llmdeployments.llm.example.com,llmmodels.llm.example.com \
      -n "$namespace" -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
    k get deployments -n "$namespace" -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\n"}{end}'
  done
}

children() {
  k get "$CHILDREN" -n "$1" -l app.kubernetes.io/managed-by=llm-operator -o name
}

# Removes all that this test made, whatever state it is in.
clean_up() {
  step "clean up"
  # Their releases go while there is an operator.
  k delete datascienceclusters.datasciencecluster.opendatahub.io,llmds.components.platform.opendatahub.io --all \
    --timeout="${TIMEOUT}s" >/dev/null 2>&1 || true
  k delete namespace "${NAMESPACES[@]}" --ignore-not-found --timeout="${TIMEOUT}s" >/dev/null 2>&1 || true
  release uninstall >/dev/null 2>&1 || release uninstall --no-hooks >/dev/null 2>&1 || true
  make --no-print-directory undeploy KUBECTL="$KUBECTL" >/dev/null 2>&1 ||
    make --no-print-directory undeploy SKIP_RELEASE=1 KUBECTL="$KUBECTL" >/dev/null 2>&1 || true
  make --no-print-directory uninstall KUBECTL="$KUBECTL" >/dev/null 2>&1 || true
  k delete crd -l "$STAND_IN" >/dev/null 2>&1 || true
  k delete namespace llm-system --ignore-not-found --timeout="${TIMEOUT}s" >/dev/null 2>&1 || true
  check "nothing is left in the cluster" nothing leftovers
}

leftovers() {
  local all
  all=$(k get namespaces,customresourcedefinitions,clusterroles,clusterrolebindings -o name) || return
  grep -E 'llm-(e2e|system|operator)|(llm|infra|ai)\.example\.com|premlabs\.io|llmds\.' <<<"$all" || true
  k get crd -l app.kubernetes.io/part-of=llm-operator -o name
  k get crd -l "$STAND_IN" -o name
  k get apiservices -l app.kubernetes.io/managed-by=llm-operator -o name
  k get rolebindings -n kube-system -l app.kubernetes.io/part-of=llm-operator -o name
}
