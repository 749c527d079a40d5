#!/usr/bin/env bash
# The operator on a real cluster: installed by its chart, with its own image, and this project's examples as real containers. Works on whatever cluster KUBECONFIG names; makes its own namespaces and removes them.
#
#   IMG=registry/llm-operator:tag hack/e2e.sh        IMG must be an image that the cluster can pull
#
# Variables, all optional but IMG:
#   HELM=helm                the Helm CLI, version 4
#   E2E_BUILD=1              build and push IMG first (needs docker)
#   E2E_GPT_SMALL_V1, _V2    images for `your-registry/gpt-small:v1` and its next version: anything that answers
#                            POST /v1/chat/completions on $PORT
#   E2E_VLLM_IMAGE, E2E_OLLAMA_IMAGE, E2E_BUSYBOX_IMAGE   instead of the examples' images, e.g. from a mirror
#                            (LocalAI: quay.io/go-skynet/local-ai:latest, which must be there)
#   E2E_WHOAMI_IMAGE         instead of traefik/whoami:v1.10, which the charts of the part llmd run
#   E2E_TIMEOUT=180          seconds that a model may take to be Ready (large images on a slow network need more)
#   E2E_OTHER_MODEL=llama2:7b    beside tinyllama, for NvidiaGpuLlm; with Ollama's own library tinyllama:1.1b is the smallest
#   E2E_ONLY="gpu-llm"       only these parts, in their order: serving security restarts rollout leadership diagnosis prem
#                            gpu-llm upgrade by-name llmd rest uninstall (and serving or upgrade, where one of them needs it)
#   E2E_KEEP=1               leave everything in place for a look
# Not part of `make test`: it needs a cluster with at least two CPUs, 4 GiB and a default storage class.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

KUBECTL=${KUBECTL:-kubectl}
HELM=${HELM:-helm}
TIMEOUT=${E2E_TIMEOUT:-180}
NS=llm-e2e              # any image: Pod Security level baseline
NS_STRICT=llm-e2e-strict    # vLLM and Ollama: level restricted
NS_BROKEN=llm-e2e-broken    # what must be explained
NS_PREM=llm-e2e-prem        # prem-operator's kinds
NS_GPU_LLM=llm-e2e-gpu-llm    # NvidiaGpuLlm: level restricted
NS_BY_NAME=llm-e2e-by-name    # models by name: level restricted
NS_LLMD=llm-e2e-llmd        # releases of an Llmd, which makes this namespace itself
NAMESPACES=("$NS" "$NS_STRICT" "$NS_BROKEN" "$NS_PREM" "$NS_GPU_LLM" "$NS_BY_NAME" "$NS_LLMD")
OTHER_MODEL=${E2E_OTHER_MODEL:-llama2:7b}
PARTS=(serving security restarts rollout leadership diagnosis prem gpu-llm upgrade by-name llmd rest uninstall)

for part in lib preflight install "${PARTS[@]}" gpu-llm-life llmd-charts as-built graph; do
  # shellcheck source=/dev/null
  source "hack/e2e/$part.sh"
done

finish() {
  local code=$?
  trap - EXIT INT TERM HUP ERR
  if [ "$code" -ne 0 ] && [ "${#FAILED[@]}" -eq 0 ]; then failed "the test itself, at ${WHERE:-a signal} (exit code $code)"; fi
  [ "${#FAILED[@]}" -eq 0 ] && [ "$code" -eq 0 ] || post_mortem
  if [ -n "${E2E_KEEP:-}" ]; then say "E2E_KEEP: everything is left in place"; else clean_up; fi
  verdict
  [ "${#FAILED[@]}" -eq 0 ] && [ "$code" -eq 0 ] || exit 1
}

preflight
trap finish EXIT
trap 'exit 130' INT TERM HUP
trap 'exec >/dev/null 2>&1; exit 141' PIPE # whoever read the output went away; cleaning up needs no reader
trap 'WHERE="${BASH_SOURCE[0]} line $LINENO"' ERR

install_operator
for part in "${PARTS[@]}"; do
  if chosen "$part"; then "check_${part//-/_}"; fi
done
