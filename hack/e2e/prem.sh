# prem-operator's kinds: a real Ollama as generic engine, LocalAI and vLLM with model maps, labels on nodes.
# shellcheck shell=bash

PREM_JSON='"model":"tinyllama-chat","prompt":"Say something.","max_tokens":8'

check_prem() {
  step "prem"
  k create namespace "$NS_PREM" >/dev/null
  k label namespace "$NS_PREM" pod-security.kubernetes.io/enforce=baseline >/dev/null
  must "examples/test.yaml applies" prem_apply examples/test.yaml
  must "LocalAI with a model map applies" prem_apply examples/prem/localai-config.yaml
  must "Ollama as generic engine applies" prem_apply examples/prem/generic-ollama.yaml
  must "vLLM with a model map applies" prem_apply config/e2e/prem/vllm.yaml
  local name file
  for name in simple embeddings ollama qwen; do
    must "AIDeployment $name is Ready" within "$TIMEOUT" prem_ready "$name"
  done
  k get aideployments,aimodelmaps -n "$NS_PREM" >&2
  check "errMsg is empty" nothing field "$NS_PREM" aideployment/simple '{.status.errMsg}'
  check "simple completes under its model's name" prints '"text"' \
    ask "http://simple.$NS_PREM:8080/v1/completions" "{$PREM_JSON}"
  check "the Ingress leads to it" equals "foo.127.0.0.1.nip.io / simple 8080" field "$NS_PREM" ingress/simple \
    '{.spec.rules[0].host} {.spec.rules[0].http.paths[0].path} {.spec.rules[0].http.paths[0].backend.service.name} {.spec.rules[0].http.paths[0].backend.service.port.number}'
  check "the Service follows the port that the probe asks" equals "11434 11434" \
    field "$NS_PREM" service/ollama '{.spec.ports[0].port} {.spec.ports[0].targetPort}'
  check "Ollama pulls a model" serving ollama ollama pull tinyllama
  check "Ollama answers" prints '"done":true' \
    ask "http://ollama.$NS_PREM:11434/api/generate" '{"model":"tinyllama","prompt":"Hello","stream":false}'
  check "vLLM answers under its model's name" prints '"content"' \
    ask "http://qwen.$NS_PREM:8000/v1/chat/completions" "{\"model\":\"Qwen/Qwen2.5-0.5B-Instruct\",$CHAT_JSON}"
  for file in examples/test.yaml examples/prem/localai-config.yaml examples/prem/generic-ollama.yaml config/e2e/prem/vllm.yaml; do
    check_as_built "$NS_PREM" "$file" < <(prem_yaml "$file")
  done
  for name in simple embeddings ollama qwen; do check_command "$NS_PREM" "$(prem_pod "$name")" serving; done
  check_model_map
  for name in simple embeddings ollama qwen; do check_prem_sandbox "$name"; done
  check_removed_endpoint
  check_labeler
  k delete aideployments,aimodelmaps -n "$NS_PREM" --all >/dev/null
  check "nothing of the AIDeployments is left" within 120 nothing prem_children
}

# As the example is, but for a small cluster, and with the caller's images.
prem_apply() { prem_yaml "$1" | k apply -n "$NS_PREM" -f -; }
prem_yaml() {
  with_images <"$1" | sed -e '/namespace: default/d' -e 's/cpu: 8$/cpu: 100m/' -e 's/memory: "3Gi"/memory: 256Mi/' \
    -e "s|imageRepository: vllm/vllm-openai$|imageRepository: $(repository "${E2E_VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}")|" \
    -e "s|imageTag: v0.33.0$|imageTag: $(tag "${E2E_VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}")|" \
    -e "s|image: ollama/ollama$|image: ${E2E_OLLAMA_IMAGE:-ollama/ollama:latest}|" |
    if [ "$GPUS" -gt 0 ]; then cat; else sed '/^    accelerator:$/,$d'; fi
}

prem_ready() {
  equals "Ready/True/same" prem_state "$1"
}
prem_state() {
  field "$NS_PREM" "aideployment/$1" \
    '{.status.status}/{.status.conditions[?(@.type=="Ready")].status}/{.metadata.generation}/{.status.observedGeneration}' |
    awk -F/ '{print $1 "/" $2 "/" ($3 == $4 ? "same" : "old")}'
}

# serving NAME COMMAND...: run in the engine's container.
serving() {
  local pod
  pod=$(prem_pod "$1")
  shift
  k exec -n "$NS_PREM" "$pod" -c serving -- "$@"
}

prem_pod() {
  k get pods -n "$NS_PREM" -l "mlcontroller.premlabs.io/ai-deployment=$1" \
    -o go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}' | awk 'NR == 1'
}

check_model_map() {
  check "the map's file is where LocalAI reads it" prints 'name: sentences' serving embeddings cat /models/sentences-base.yaml
  k patch aimodelmap sentences -n "$NS_PREM" --type=json \
    -p '[{"op":"replace","path":"/spec/localai/0/engineConfigFile","value":"name: edited\nbackend: sentencetransformers\n"}]' >/dev/null
  check "an edit of the map reaches the engine" within "$TIMEOUT" prints 'name: edited' serving embeddings cat /models/sentences-base.yaml
  check "and it is Ready again" within "$TIMEOUT" prem_ready embeddings
}

check_prem_sandbox() {
  check "$1 has no service account token" serving "$1" sh -c '! ls /var/run/secrets/kubernetes.io/serviceaccount'
  check "$1 is under a seccomp filter" equals 2 prem_kernel_says "$1" Seccomp
  check "$1 cannot gain privileges" equals 1 prem_kernel_says "$1" NoNewPrivs
}
prem_kernel_says() { serving "$1" cat /proc/1/status | awk -v field="$2:" '$1 == field {print $2}'; }

check_removed_endpoint() {
  k patch aideployment simple -n "$NS_PREM" --type=merge -p '{"spec":{"endpoint":null}}' >/dev/null
  check "without an endpoint the Ingress goes" within 30 nothing k get -n "$NS_PREM" ingress/simple --ignore-not-found -o name
}

check_labeler() {
  k apply -n "$NS_PREM" -f examples/prem/autolabeler.yaml --dry-run=client -o yaml | sed "s/namespace: .*/namespace: $NS_PREM/" |
    k apply -f - >/dev/null
  local all
  all=$(k get nodes -o name | wc -l | tr -d ' ')
  check "every node is labelled" within 30 equals "$all" labelled_nodes
  k delete autonodelabelers -n "$NS_PREM" --all --timeout=30s >/dev/null
  check "the label goes with the labeler" within 30 equals 0 labelled_nodes
}
labelled_nodes() {
  local key
  key=$(awk '/^  labels:/ {getline; sub(":.*", ""); gsub(" ", ""); print}' examples/prem/autolabeler.yaml)
  k get nodes -l "$key" -o name | wc -l | tr -d ' '
}

prem_children() {
  k get "$CHILDREN,ingresses,configmaps" -n "$NS_PREM" -l app.kubernetes.io/managed-by=llm-operator -o name
}
