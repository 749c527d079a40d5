# DynamoGraphDeployment, where its definition is ours; of the part by-name.
# shellcheck shell=bash

check_graph() {
  if ! graph_is_ours; then
    say "skipped: DynamoGraphDeployment belongs to others here"
    return
  fi
  must "DynamoGraphDeployment graph applies" by_name_apply graph
  must "graph (vLLM) is Ready" within "$TIMEOUT" by_name_ready dynamographdeployment/graph
  k get dynamographdeployments -n "$NS_BY_NAME" >&2
  say "$(by_name dynamographdeployment/graph '{.status.sizing.explanation}')"
  check "its Pod has a stable name and a GPU" equals 1 by_name pod/graph-0 '{.spec.containers[0].resources.limits.nvidia\.com/gpu}'
  check "graph answers under its model's name" prints '"content"' \
    ask "http://graph.$NS_BY_NAME:8000/v1/chat/completions" "{\"model\":\"qwen2.5-0.5b\",$CHAT_JSON}"
  check_command "$NS_BY_NAME" graph-0 engine
  check "it tells how its promise is kept" words by_name dynamographdeployment/graph '{.status.scaling.message}'
}

graph_is_ours() {
  [ "$(k get crd dynamographdeployments.nvidia.com --ignore-not-found \
    -o 'jsonpath={.metadata.labels.app\.kubernetes\.io/part-of}')" = llm-operator ]
}
