# The operator by its chart, as docs/install.md says, in a namespace of Pod Security level restricted.
# shellcheck shell=bash

install_operator() {
  step "install"
  k create namespace llm-system >/dev/null
  k label namespace llm-system pod-security.kubernetes.io/enforce=restricted >/dev/null
  must "helm install" helm_install
  must "definitions are established" k wait --for=condition=Established --timeout=60s \
    crd/llmmodels.llm.example.com crd/llmdeployments.llm.example.com \
    crd/aideployments.premlabs.io crd/aimodelmaps.premlabs.io crd/autonodelabelers.premlabs.io \
    crd/nvidiagpullms.infra.example.com crd/llmmodels.ai.example.com crd/modeldeployments.ai.example.com \
    crd/llmds.components.platform.opendatahub.io
  must "both replicas are rolled out" k rollout status -n llm-system deployment/llm-operator --timeout="${TIMEOUT}s"
  check "two replicas are ready" equals 2 field llm-system deployment/llm-operator '{.status.readyReplicas}'
  must "one replica leads" within 30 leads
  for namespace in "$NS" "$NS_STRICT" "$NS_BROKEN"; do
    k create namespace "$namespace" >/dev/null
  done
  k label namespace "$NS" "$NS_BROKEN" pod-security.kubernetes.io/enforce=baseline >/dev/null
  k label namespace "$NS_STRICT" pod-security.kubernetes.io/enforce=restricted >/dev/null
  with_images <hack/e2e/client.yaml | k apply -n "$NS" -f - >/dev/null
  must "a client's Pod runs in the cluster" k wait -n "$NS" --for=condition=Ready --timeout="${TIMEOUT}s" pod/e2e-client
  check "the operator answers /healthz and /metrics" operator_pages
}

helm_install() {
  release install --create-namespace "${IMAGE_VALUES[@]}"
}

# release VERB ARGUMENT...: Helm's verb on the operator's release, until all of it is done.
release() {
  local verb=$1
  shift
  set -- -n llm-system --wait --timeout "${TIMEOUT}s" "$@"
  case $verb in
    uninstall) "$HELM" uninstall llm-operator "$@" ;;
    *) "$HELM" "$verb" llm-operator helm-charts/llm-operator "$@" ;;
  esac
}

# IMG as values of the chart: repository, and tag or digest.
image_values() {
  local name=${IMG%@*}
  if [ "$name" != "$IMG" ]; then
    IMAGE_VALUES=(--set "image.repository=$name" --set "image.digest=${IMG##*@}")
  else
    IMAGE_VALUES=(--set "image.repository=$(repository "$IMG")" --set-string "image.tag=$(tag "$IMG")")
  fi
}
# Of an image without a digest; a port before the path is no tag.
repository() { if [[ ${1##*/} == *:* ]]; then echo "${1%:*}"; else echo "$1"; fi; }
tag() { if [[ ${1##*/} == *:* ]]; then echo "${1##*:}"; else echo latest; fi; }

leads() {
  local holder
  holder=$(leader)
  [ -n "$holder" ] && k get pod -n llm-system "$holder" >/dev/null
}

operator_pages() {
  local ip
  ip=$(field llm-system "pod/$(leader)" '{.status.podIP}')
  prints ok client wget -q -O - "http://$ip:8080/healthz" &&
    prints 'role: leader' client wget -q -O - "http://$ip:8080/readyz" &&
    prints 'llm_operator_leader 1' leaders_metrics &&
    not client wget -q -O - "http://$ip:8080/metrics"
}

# The examples' images, or what the caller has instead of them.
with_images() {
  sed -e "s|your-registry/gpt-small:v1|${E2E_GPT_SMALL_V1:-your-registry/gpt-small:v1}|" \
    -e "s|vllm/vllm-openai:v0.33.0|${E2E_VLLM_IMAGE:-vllm/vllm-openai:v0.33.0}|" \
    -e "s|ollama/ollama:latest|${E2E_OLLAMA_IMAGE:-ollama/ollama:latest}|" \
    -e "s|ollama/ollama:0.17.4|${E2E_OLLAMA_IMAGE:-ollama/ollama:0.17.4}|" \
    -e "s|traefik/whoami:v1.10|${E2E_WHOAMI_IMAGE:-traefik/whoami:v1.10}|" \
    -e "s|busybox:1.36|${E2E_BUSYBOX_IMAGE:-busybox:1.36}|"
}
