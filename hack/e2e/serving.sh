# The examples, served and asked.
# shellcheck shell=bash

CHAT_JSON='"messages":[{"role":"user","content":"Say something."}],"max_tokens":8'

# The overlay of the examples; without GPUs in the cluster nothing asks for one.
overlay() {
  local gpu='n'
  [ "$GPUS" -gt 0 ] || gpu='/^  gpu:$/{N;d;}'
  k kustomize --load-restrictor=LoadRestrictionsNone "config/e2e/$1" | sed "$gpu" | with_images
}

check_serving() {
  step "examples"
  must "the pair of the document applies" apply_overlay generic "$NS"
  must "vLLM's and Ollama's examples apply" apply_overlay engines "$NS_STRICT"
  must "chat-service is Ready" within "$TIMEOUT" ready "$NS" chat-service
  must "qwen-7b (vLLM) is Ready" within "$TIMEOUT" ready "$NS_STRICT" qwen-7b
  must "tinyllama (Ollama) is Ready" within "$TIMEOUT" ready "$NS_STRICT" tinyllama
  k get llmmodels.llm.example.com,llmdeployments.llm.example.com -A >&2

  local name
  check "chat-service was Ready within 2 s of its Pods" prompt "$NS" chat-service
  for name in qwen-7b tinyllama; do
    check "$name was Ready within 2 s of its Pod" prompt "$NS_STRICT" "$name"
  done
  check "chat-service answers on its Service" prints '"content"' \
    ask "http://chat-service.$NS:8080/v1/chat/completions" "{$CHAT_JSON}"
  check "qwen-7b answers under the model's own name" prints '"content"' \
    ask "http://qwen-7b.$NS_STRICT:8000/v1/chat/completions" "{\"model\":\"qwen2.5-7b\",$CHAT_JSON}"
  check "qwen-7b streams" prints 'data: [DONE]' \
    ask "http://qwen-7b.$NS_STRICT:8000/v1/chat/completions" "{\"model\":\"qwen2.5-7b\",\"stream\":true,$CHAT_JSON}"
  check "tinyllama answers /api/generate" prints '"done":true' \
    ask "http://tinyllama.$NS_STRICT:11434/api/generate" '{"model":"tinyllama","prompt":"Hello","stream":false}'
  check "tinyllama answers /v1/chat/completions" prints '"content"' \
    ask "http://tinyllama.$NS_STRICT:11434/v1/chat/completions" "{\"model\":\"tinyllama\",$CHAT_JSON}"
  check "ollama list knows the model" prints tinyllama inside "$NS_STRICT" "$(pod_of "$NS_STRICT" tinyllama)" ollama list
  check "ollama run answers" ollama_runs
  check_as_built "$NS" "generic" < <(overlay generic)
  check_as_built "$NS_STRICT" "vLLM and Ollama" < <(overlay engines)
  check_command "$NS" "$(pod_of "$NS" chat-service)" engine
  for name in qwen-7b tinyllama; do check_command "$NS_STRICT" "$(pod_of "$NS_STRICT" "$name")" engine; done
}

# The status turned Ready when the last Pod did; times of the API have whole seconds.
prompt() { # NAMESPACE NAME
  {
    k get pods -n "$1" -l "llm-operator.io/name=$2" \
      -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].lastTransitionTime}{"\n"}{end}' | sort | tail -n 1
    field "$1" "llmdeployment.llm.example.com/$2" '{.status.conditions[?(@.type=="Ready")].lastTransitionTime}'
  } | awk -F'[T:Z]' '{second = $2 * 3600 + $3 * 60 + $4; if (NR == 1) pods = second}
    END {late = (second - pods + 86400) % 86400; print late " s after its Pods"; exit NR != 2 || late > 2}'
}

ollama_runs() {
  local words
  words=$(inside "$NS_STRICT" "$(pod_of "$NS_STRICT" tinyllama)" ollama run tinyllama Hello)
  [ -n "${words//[[:space:]]/}" ]
}

apply_overlay() { overlay "$1" | k apply -n "$2" -f -; }
