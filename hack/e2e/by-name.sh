# Models by name, and a promise carried by a HorizontalPodAutoscaler that reads the number from the operator in the cluster
# (S2-21, S3-1 to S3-12, S3-23, S3-31).
# shellcheck shell=bash

METRIC_API=v1beta1.external.metrics.k8s.io
METRIC_PATH=/apis/external.metrics.k8s.io/v1beta1/namespaces/$NS_BY_NAME/llm_operator_desired_replicas

check_by_name() {
  step "by-name"
  if ! by_name_gpus; then
    say "skipped: no node has GPUs with the labels of GPU feature discovery (nvidia.com/gpu.product)"
    return
  fi
  k create namespace "$NS_BY_NAME" >/dev/null
  k label namespace "$NS_BY_NAME" pod-security.kubernetes.io/enforce=restricted >/dev/null
  check_by_name_refused
  must "LLMModel tiny and ModelDeployment assistant apply" by_name_apply ollama promise
  must "tiny (Ollama) is Ready" within "$TIMEOUT" by_name_ready llmmodel.ai.example.com/tiny
  check "tiny answers under its model's name" prints '"content"' \
    ask "http://tiny.$NS_BY_NAME:8000/v1/chat/completions" "{\"model\":\"tinyllama\",$CHAT_JSON}"
  check "the status tells what was chosen" prints 'tinyllama-1.1b in q4 on 1 x' by_name llmmodel.ai.example.com/tiny '{.status.sizing.explanation}'
  check_promise
  check_by_name_children
  check_command "$NS_BY_NAME" "$(pod_of "$NS_BY_NAME" tiny)" engine
  check_command "$NS_BY_NAME" assistant-0 engine
  check_decided_api
  promise_less
  check_graph
  check_less_is_promised
  check_by_name_gone
}

by_name_gpus() {
  [ "$GPUS" -gt 0 ] && [ -n "$(k get nodes -l nvidia.com/gpu.product -o name)" ]
}

by_name_apply() {
  local file
  for file in "$@"; do with_images <"config/e2e/by-name/$file.yaml" | k apply -n "$NS_BY_NAME" -f - || return; done
}

by_name() { field "$NS_BY_NAME" "$1" "$2"; }

by_name_ready() {
  equals "Ready/True/same" by_name_state "$1"
}
by_name_state() {
  by_name "$1" '{.status.state}/{.status.conditions[?(@.type=="Ready")].status}/{.metadata.generation}/{.status.observedGeneration}' |
    awk -F/ '{print $1 "/" $2 "/" ($3 == $4 ? "same" : "old")}'
}

check_by_name_refused() {
  local name wanted
  by_name_apply refused >/dev/null
  while read -r name wanted; do
    check "$name: $wanted" within 20 equals "$wanted" by_name "llmmodel.ai.example.com/$name" '{.status.reason}'
    say "$(by_name "llmmodel.ai.example.com/$name" '{.status.conditions[?(@.type=="Accepted")].message}')"
  done <<'NAMES'
unheard-of UnknownModel
gated TokenMissing
elsewhere InvalidSpec
NAMES
  check "no Pod was made for them" nothing k get pods -n "$NS_BY_NAME" -o name
  k create secret generic hf-token -n "$NS_BY_NAME" --from-literal=token=none >/dev/null
  check "with the Secret the gated model goes on" within 20 not equals TokenMissing \
    by_name llmmodel.ai.example.com/gated '{.status.reason}'
  k delete llmmodels.ai.example.com -n "$NS_BY_NAME" --all >/dev/null
}

# The number that was decided is the autoscaler's, and the autoscaler's is the StatefulSet's.
check_promise() {
  must "the operator serves $METRIC_API, or another adapter does" within 60 metric_api_stands
  if ! metric_api_is_ours; then
    check "assistant is scaled through /scale" within "$TIMEOUT" equals "2 Scale" \
      by_name modeldeployment/assistant '{.status.scaling.desiredReplicas} {.status.scaling.transport}'
    check "and it says who has the metrics API" prints 'external.metrics.k8s.io is served by' \
      by_name modeldeployment/assistant '{.status.conditions[?(@.type=="ScalingActive")].message}'
  else
    check "$METRIC_API is Available" within 30 equals True \
      k get apiservice "$METRIC_API" -o 'jsonpath={.status.conditions[?(@.type=="Available")].status}'
    check "assistant is decided to have 2 replicas" within "$TIMEOUT" equals "2 Metric Limited" \
      by_name modeldeployment/assistant '{.status.scaling.desiredReplicas} {.status.scaling.transport} {.status.scaling.reason}'
    check "its HorizontalPodAutoscaler shows that number" within 60 equals "1 2 2 2" by_name hpa/assistant \
      '{.spec.minReplicas} {.spec.maxReplicas} {.status.currentReplicas} {.status.desiredReplicas}'
    check "and is able to read it" equals True by_name hpa/assistant '{.status.conditions[?(@.type=="ScalingActive")].status}'
  fi
  must "assistant (vLLM) is Ready" within "$TIMEOUT" by_name_ready modeldeployment/assistant
  k get modeldeployments,statefulsets,hpa,pods -n "$NS_BY_NAME" >&2
  say "$(by_name modeldeployment/assistant '{.status.scaling.message}')"
}

check_by_name_children() {
  check "its Pods have stable names" equals "assistant-0 assistant-1" k get pods -n "$NS_BY_NAME" \
    -l llm-operator.io/name=assistant -o 'jsonpath={.items[*].metadata.name}'
  check "each has a claim of its own" equals "Bound Bound" k get pvc -n "$NS_BY_NAME" \
    models-assistant-0 models-assistant-1 -o 'jsonpath={.items[*].status.phase}'
  check "assistant answers on its Service" prints '"content"' \
    ask "http://assistant.$NS_BY_NAME:8000/v1/chat/completions" "{$CHAT_JSON}"
  check "each Pod answers by its own name" prints '"content"' \
    ask "http://assistant-1.assistant-headless.$NS_BY_NAME:8000/v1/chat/completions" "{$CHAT_JSON}"
  check "the engine's settings stand in a ConfigMap" prints 'served-model-name: "qwen2.5-0.5b"' \
    by_name configmap/assistant-settings '{.data.engine\.yaml}'
  check "and in the container" prints 'max-model-len: 4096' \
    inside "$NS_BY_NAME" assistant-0 cat /etc/llm-operator/engine.yaml
  check "its weights are on the claim" inside "$NS_BY_NAME" assistant-0 sh -c 'touch /models/e2e && [ "$HF_HOME" = /models/huggingface ]'
}

# Who asks is who the API server says, and may ask what the cluster's roles say.
check_decided_api() {
  metric_api_is_ours || return 0
  check "an administrator reads the number" prints '"value":"2"' k get --raw "$METRIC_PATH"
  check "a person without rights is refused" prints 'Forbidden' eval "k get --raw '$METRIC_PATH' --as=somebody 2>&1 || true"
  check "the operator's port believes nobody but the API server" prints 401 past_the_api_server
  local before
  before=$(by_name hpa/assistant '{.status.desiredReplicas}')
  k delete pod -n llm-system "$(leader)" --wait=false >/dev/null
  check "while a leader goes the other replica answers" within 15 prints '"value":"2"' k get --raw "$METRIC_PATH"
  must "another replica leads" within 40 leads
  check "a new leader decides no less" steady_for 20 equals "$before $before" by_name hpa/assistant '{.status.desiredReplicas} {.status.currentReplicas}'
  k rollout status -n llm-system deployment/llm-operator --timeout="${TIMEOUT}s" >/dev/null
}

# The status of an answer to somebody who reaches the port without the API server.
past_the_api_server() {
  local output forward port
  output=$(mktemp)
  # Not by `k`: it is the process itself that has to be ended, or it would hold the output open.
  "$KUBECTL" port-forward -n llm-system "pod/$(leader)" :6443 >"$output" 2>/dev/null &
  forward=$!
  within 10 grep -q Forwarding "$output"
  port=$(awk -F'[: ]' '/Forwarding from 127/ {print $4}' "$output")
  curl -ks -m 10 -o /dev/null -w '%{http_code}\n' "https://127.0.0.1:$port$METRIC_PATH"
  kill "$forward"
  rm -f "$output"
}

# With less to promise one replica is enough, after some minutes; its claim stays for the next time.
promise_less() {
  k patch modeldeployment -n "$NS_BY_NAME" assistant --type=merge -p '{"spec": {"sla": {"minThroughput": 1}}}' >/dev/null
}
check_less_is_promised() {
  check "with less to promise one replica goes" within "$((TIMEOUT + 120))" equals "assistant-0" k get pods -n "$NS_BY_NAME" \
    -l llm-operator.io/name=assistant -o 'jsonpath={.items[*].metadata.name}'
  check "its claim stays" equals "Bound Bound" k get pvc -n "$NS_BY_NAME" \
    models-assistant-0 models-assistant-1 -o 'jsonpath={.items[*].status.phase}'
  check "it says so" equals "1" by_name modeldeployment/assistant '{.status.scaling.desiredReplicas}'
}

check_by_name_gone() {
  k delete "modeldeployments,llmmodels.ai.example.com$(graph_is_ours && echo ,dynamographdeployments.nvidia.com)" -n "$NS_BY_NAME" --all --timeout=60s >/dev/null
  check "nothing is left, claims neither" within 120 nothing \
    k get "$CHILDREN,statefulsets,horizontalpodautoscalers" -n "$NS_BY_NAME" -o name
  metric_api_is_ours || return 0
  check "without a promise the API still answers" prints '"items":[]' k get --raw "$METRIC_PATH"
}

metric_api_stands() { [ -n "$(k get apiservice "$METRIC_API" --ignore-not-found -o name)" ]; }
metric_api_is_ours() {
  [ "$(k get apiservice "$METRIC_API" --ignore-not-found -o 'jsonpath={.spec.service.namespace}/{.spec.service.name}')" = \
    llm-system/llm-operator-external-metrics ]
}
