# NvidiaGpuLlm: the document's files with a real Ollama, in a namespace of Pod Security level restricted. Installed, asked,
# looked at (S0-4, S0-16, S0-21 to S0-30, S0-36, S0-38, S0-40); what changes and goes is in gpu-llm-life.sh.
# shellcheck shell=bash

check_gpu_llm() {
  step "gpu-llm"
  k create namespace "$NS_GPU_LLM" >/dev/null
  k label namespace "$NS_GPU_LLM" pod-security.kubernetes.io/enforce=restricted >/dev/null
  must "manifest-controller/nvidia-gpu-llm-cr.yaml applies" gpu_llm_apply tinyllama-demo
  must "tinyllama-demo is Ready" within "$TIMEOUT" gpu_llm_is tinyllama-demo Ready ModelLoaded
  k get nvidiagpullms -n "$NS_GPU_LLM" -o wide >&2
  check "the status names Pod, model and GPU" equals "gpu-llm-pod tinyllama $([ "$GPUS" -gt 0 ] && echo true || echo false)" \
    gpu_llm tinyllama-demo '{.status.podName} {.status.modelLoaded} {.status.gpuAssigned}'
  check "kubectl get gpullm shows action, model and Pod" prints 'install   tinyllama   Ready   gpu-llm-pod' \
    k get gpullm -n "$NS_GPU_LLM" tinyllama-demo
  check "Ollama pulled the model in the Pod" prints 'success' gpu_llm_log pull-model
  check "in a namespace that refuses Pods below level restricted" prints 'violates PodSecurity "restricted' \
    eval 'k run -n "$NS_GPU_LLM" plain --image=busybox:1.36 2>&1 || true'
  check_as_built "$NS_GPU_LLM" "manifest-controller/nvidia-gpu-llm-cr.yaml" < <(gpu_llm_yaml tinyllama-demo)
  check_command "$NS_GPU_LLM" gpu-llm-pod ollama
  talk_to_gpu_llm
  check_gpu_llm_prompts
  check_gpu_llm_sandbox
  check_gpu_llm_report
  check_gpu_llm_changes
  check_gpu_llm_uninstall
  check_gpu_llm_service
  check_gpu_llm_deletion
}

talk_to_gpu_llm() {
  check "kubectl exec gpu-llm-pod -- ollama run tinyllama answers, without -c" words \
    k exec -n "$NS_GPU_LLM" gpu-llm-pod -- ollama run tinyllama Hello
  check "it reads a prompt from its input as well" words \
    eval "echo Hello | $KUBECTL exec -i -n $NS_GPU_LLM gpu-llm-pod -- ollama run tinyllama"
  # Not every machine has util-linux' script, which gives kubectl the terminal that -it asks for.
  if script --version >/dev/null 2>&1; then
    check "it talks at a terminal, with -it, until /bye" prints 'Send a message' at_terminal
  fi
}

check_gpu_llm_prompts() {
  check "the prompt is answered" within 60 gpu_llm_answered tinyllama-demo
  check "with duration and tokens per second" gpu_llm_measured
  check "the whole answer is in the ConfigMap" prints "$(gpu_llm tinyllama-demo '{.status.prompts[0].answer}')" \
    field "$NS_GPU_LLM" configmap/gpu-llm-pod-answers '{.data.prompt-1\.txt}'
}

check_gpu_llm_sandbox() {
  check "gpu-llm-pod runs as uid 1000" equals 1000 in_gpu_llm id -u
  check "gpu-llm-pod: HOME and models are on the volume, and it may write there" in_gpu_llm sh -c \
    '[ "$HOME" = /models ] && [ "$OLLAMA_MODELS" = /models/ollama ] && [ "$(stat -c %g /models)" = 1000 ] && echo x >/models/.e2e && rm /models/.e2e'
  check "gpu-llm-pod has no capabilities" equals 0000000000000000 gpu_llm_kernel CapEff
  check "gpu-llm-pod has no service account token" in_gpu_llm sh -c '! ls /var/run/secrets/kubernetes.io/serviceaccount'
  check "gpu-llm-pod is under a seccomp filter" equals 2 gpu_llm_kernel Seccomp
  check "gpu-llm-pod cannot gain privileges" equals 1 gpu_llm_kernel NoNewPrivs
  check "gpu-llm-pod is behind a NetworkPolicy" equals '["Ingress","Egress"]' \
    field "$NS_GPU_LLM" networkpolicy/gpu-llm-pod '{.spec.policyTypes}'
}

check_gpu_llm_report() {
  local before
  before=$(gpu_llm_children)
  k apply -n "$NS_GPU_LLM" -f examples/infra/check-status.yaml >/dev/null
  check "check-status reports on the Pod" within 30 gpu_llm_is check-status Ready ModelLoaded
  check "it says whose it is" prints "NvidiaGpuLlm tinyllama-demo" gpu_llm check-status '{.status.message}'
  check "it tells of model and Pod" equals "gpu-llm-pod tinyllama" gpu_llm check-status '{.status.podName} {.status.modelLoaded}'
  check "and makes nothing" equals "$before" gpu_llm_children
}

# A resource of the overlay; without GPUs in the cluster it asks for none, and the image is the caller's.
gpu_llm_apply() { gpu_llm_yaml "$@" | k apply -n "$NS_GPU_LLM" -f -; }
gpu_llm_yaml() { # NAME [MODEL]
  local gpu='n' image='n' model='n'
  [ "$GPUS" -gt 0 ] || gpu='s/^  gpuCount: .*/  gpuCount: 0/'
  [ -z "${E2E_OLLAMA_IMAGE:-}" ] || image="s|^  llmName: .*|&\n  image: $E2E_OLLAMA_IMAGE|"
  [ -z "${2:-}" ] || model="s|^  model: .*|  model: $2|"
  k kustomize --load-restrictor=LoadRestrictionsNone config/e2e/gpu-llm | sed -e "$gpu" -e "$image" -e "$model" |
    awk -v name="  name: $1" 'BEGIN {RS = ORS = "---\n"} index($0, name "\n")'
}

# gpu_llm NAME JSONPATH
gpu_llm() { field "$NS_GPU_LLM" "nvidiagpullm.infra.example.com/$1" "$2"; }

# gpu_llm_is NAME PHASE REASON: about the present spec.
gpu_llm_is() {
  equals "$2 $3 same" gpu_llm_state "$1"
}
gpu_llm_state() {
  gpu_llm "$1" '{.status.phase} {.status.reason} {.metadata.generation} {.status.observedGeneration}' |
    awk '{print $1, $2, ($3 == $4 ? "same" : "old")}'
}

# Every prompt of the present spec is answered.
gpu_llm_answered() {
  equals "True same" gpu_llm_prompts_done "$1"
}
gpu_llm_prompts_done() {
  gpu_llm "$1" '{.status.conditions[?(@.type=="PromptsAnswered")].status} {.metadata.generation} {.status.promptsGeneration}' |
    awk '{print $1, ($2 == $3 ? "same" : "old")}'
}
gpu_llm_measured() {
  gpu_llm tinyllama-demo '{.status.prompts[0].state} {.status.prompts[0].durationSeconds} {.status.prompts[0].tokensPerSecond}' |
    awk '{print} $1 != "Answered" || !($2 >= 0) || !($3 > 0) || NF != 3 {exit 1}'
}

# words COMMAND...: it prints something that is no blank.
words() {
  local said
  said=$("$@") || { echo "$said"; return 1; }
  [ -n "${said//[[:space:]]/}" ]
}

# What a terminal answers when it is asked for its colours and its cursor, and a key pressed until it has worked.
at_terminal() {
  timeout 60 script -qec "$KUBECTL exec -it -n $NS_GPU_LLM gpu-llm-pod -- ollama run tinyllama" /dev/null \
    < <(while sleep 1; do printf '\e]11;rgb:0000/0000/0000\e\\\e[1;1R/bye\r' || exit; done)
}

in_gpu_llm() { k exec -n "$NS_GPU_LLM" gpu-llm-pod -- "$@"; }
gpu_llm_kernel() { in_gpu_llm cat /proc/1/status | awk -v field="$1:" '$1 == field {print $2}'; }
gpu_llm_log() { k logs -n "$NS_GPU_LLM" "${2:-gpu-llm-pod}" -c "$1"; }
gpu_llm_uid() { field "$NS_GPU_LLM" "pod/${1:-gpu-llm-pod}" '{.metadata.uid}'; }

gpu_llm_children() {
  k get pods,services,networkpolicies,persistentvolumeclaims,configmaps -n "$NS_GPU_LLM" \
    -l app.kubernetes.io/managed-by=llm-operator -o name
}
