# NvidiaGpuLlm: changes of a running one, a Pod that is lost, uninstall, deletion with and without an operator
# (S0-6, S0-14, S0-17, S0-19, S0-31, S0-33, S0-34, S0-37, S0-39).
# shellcheck shell=bash

check_gpu_llm_changes() {
  local pod prompts
  pod=$(gpu_llm_uid)
  prompts=$(gpu_llm tinyllama-demo '{.status.prompts}')
  k delete pod -n "$NS_GPU_LLM" gpu-llm-pod --wait=false >/dev/null
  check "a deleted Pod is made anew" within "$TIMEOUT" gpu_llm_anew tinyllama-demo "$pod" ModelLoaded
  check "its prompts are not sent again" equals "$prompts" gpu_llm tinyllama-demo '{.status.prompts}'

  pod=$(gpu_llm_uid)
  gpu_llm_patch '{"serviceEnabled": true}'
  check "a Service is switched on" within 30 prints '"done":true' ask_gpu_llm gpu-llm-pod tinyllama
  check "the Pod goes on" equals "$pod" gpu_llm_uid
  gpu_llm_patch '{"persistentStorage": true, "storageSize": "2Gi"}'
  check "with storage the Pod is made anew" within "$TIMEOUT" gpu_llm_anew tinyllama-demo "$pod" ModelLoaded
  check "with a claim" equals Bound field "$NS_GPU_LLM" pvc/gpu-llm-pod '{.status.phase}'
  check "a changed spec sends the prompts again" within 60 gpu_llm_answered tinyllama-demo

  pod=$(gpu_llm_uid)
  gpu_llm_patch "{\"model\": \"$OTHER_MODEL\"}"
  check "another model replaces the Pod" within "$TIMEOUT" gpu_llm_anew tinyllama-demo "$pod" ModelLoaded
  check "the status names it" equals "$OTHER_MODEL" gpu_llm tinyllama-demo '{.status.modelLoaded}'
  check "ollama list knows it" prints "$OTHER_MODEL" in_gpu_llm ollama list
  check "the claim kept the model before it" prints 'tinyllama:latest' in_gpu_llm ollama list

  pod=$(gpu_llm_uid)
  gpu_llm_patch '{"model": "tinyllama", "keepAlive": false, "prompts": ["Name a river.", "Name a mountain."]}'
  check "keepAlive false: the Pod ends after its prompts" within "$TIMEOUT" gpu_llm_anew tinyllama-demo "$pod" Finished
  check "Succeeded, not killed" equals "Succeeded 0" field "$NS_GPU_LLM" pod/gpu-llm-pod \
    '{.status.phase} {.status.containerStatuses[0].state.terminated.exitCode}'
  check "both prompts are answered" equals "Answered Answered" gpu_llm tinyllama-demo '{.status.prompts[*].state}'
  check "the model came from the claim" prints 'tinyllama is there' gpu_llm_log pull-model
  pod=$(gpu_llm_uid)
  gpu_llm_patch '{"keepAlive": true}'
  check "keepAlive true: it serves again" within "$TIMEOUT" gpu_llm_anew tinyllama-demo "$pod" ModelLoaded
}

check_gpu_llm_uninstall() {
  k apply -n "$NS_GPU_LLM" -f examples/infra/cleanup.yaml >/dev/null
  check "cleanup is Ready when all is gone" within 60 gpu_llm_is cleanup Ready Removed
  check "Pod, Service and claim are gone" nothing gpu_llm_children
  check "tinyllama-demo is held down" within 10 gpu_llm_is tinyllama-demo Pending HeldDown
  check "check-status finds no Pod" within 40 prints PodNotFound gpu_llm_state check-status
  k annotate nvidiagpullm -n "$NS_GPU_LLM" tinyllama-demo e2e/look=again >/dev/null
  check "it stays down" not within 5 k get pod -n "$NS_GPU_LLM" gpu-llm-pod
}

# Beside the uninstall, which is about another name.
check_gpu_llm_service() {
  local pod
  must "examples/infra/llama2-service.yaml applies" gpu_llm_apply llama2-service "$OTHER_MODEL"
  must "llama2-service is Ready" within "$TIMEOUT" gpu_llm_is llama2-service Ready ModelLoaded
  check "its Service answers /api/generate" prints '"done":true' ask_gpu_llm llama2-pod "$OTHER_MODEL"
  check "its first Pod pulled the model" prints 'success' gpu_llm_log pull-model llama2-pod
  pod=$(gpu_llm_uid llama2-pod)
  k delete pod -n "$NS_GPU_LLM" llama2-pod --wait=false >/dev/null
  check "a deleted Pod is made anew on its claim" within "$TIMEOUT" gpu_llm_anew llama2-service "$pod" ModelLoaded llama2-pod
  check "the new Pod found the model there" prints "$OTHER_MODEL is there" gpu_llm_log pull-model llama2-pod
  check "and pulled nothing" not prints 'pulling' gpu_llm_log pull-model llama2-pod
  check "its Service answers again" within 20 prints '"done":true' ask_gpu_llm llama2-pod "$OTHER_MODEL"

  check "kubectl delete is done within seconds" k delete nvidiagpullm -n "$NS_GPU_LLM" llama2-service --timeout=20s
  check "and leaves nothing" nothing gpu_llm_children
}

check_gpu_llm_deletion() {
  k delete nvidiagpullm -n "$NS_GPU_LLM" cleanup --timeout=20s >/dev/null
  check "without the uninstall the model comes back" within "$TIMEOUT" gpu_llm_is tinyllama-demo Ready ModelLoaded
  k patch pod -n "$NS_GPU_LLM" gpu-llm-pod --type=merge -p '{"metadata": {"finalizers": ["e2e.llm-operator.io/stuck"]}}' >/dev/null
  check "a Pod that is stuck holds no deletion up" k delete nvidiagpullm -n "$NS_GPU_LLM" tinyllama-demo --timeout=30s
  check "an Event names it" within 10 prints 'Pod gpu-llm-pod' k get events -n "$NS_GPU_LLM" --field-selector reason=ObjectsLeft
  k patch pod -n "$NS_GPU_LLM" gpu-llm-pod --type=merge -p '{"metadata": {"finalizers": null}}' >/dev/null
  check "Kubernetes removes it afterwards" within 60 nothing gpu_llm_children

  must "tinyllama-demo once more" gpu_llm_apply tinyllama-demo
  check "is Ready" within "$TIMEOUT" gpu_llm_is tinyllama-demo Ready ModelLoaded
  check_logs
  k scale deployment -n llm-system llm-operator --replicas=0 >/dev/null
  k wait -n llm-system --for=delete pod -l app=llm-operator --timeout=60s >/dev/null
  k delete nvidiagpullm -n "$NS_GPU_LLM" tinyllama-demo --wait=false >/dev/null
  check "without an operator a deleted resource waits" k wait -n "$NS_GPU_LLM" nvidiagpullm/tinyllama-demo \
    --for=jsonpath='{.metadata.deletionTimestamp}' --timeout=5s
  check "its Pod answers meanwhile" words in_gpu_llm ollama run tinyllama Hello
  k scale deployment -n llm-system llm-operator --replicas=2 >/dev/null
  check "the operator is back" k rollout status -n llm-system deployment/llm-operator --timeout="${TIMEOUT}s"
  check "and the deletion done within seconds" within 30 nothing \
    k get nvidiagpullm -n "$NS_GPU_LLM" tinyllama-demo --ignore-not-found -o name
  check "nothing is left" nothing gpu_llm_children

  # The parts after this one see it at rest, and without its operator.
  must "tinyllama-demo stays from here on" gpu_llm_apply tinyllama-demo
  check "is Ready again" within "$TIMEOUT" gpu_llm_is tinyllama-demo Ready ModelLoaded
  check "its prompt is answered" within 60 gpu_llm_answered tinyllama-demo
}

# check_gpu_llm_after RUN: an operator that went and came back goes on with what it finds.
check_gpu_llm_after() {
  check "the new operator takes tinyllama-demo up again" within 30 prints infra.example.com/gpu-llm \
    gpu_llm tinyllama-demo '{.metadata.finalizers}'
  check "its Pod is the same, and no prompt was sent again" equals "$1" gpu_llm_run
  k delete nvidiagpullms -n "$NS_GPU_LLM" --all --timeout=30s >/dev/null
  check "nothing of NvidiaGpuLlm is left" nothing gpu_llm_children
}

# Which Pod runs, how often it was started, what became of the prompts.
gpu_llm_run() {
  gpu_llm_uid
  field "$NS_GPU_LLM" pod/gpu-llm-pod '{.status.containerStatuses[0].restartCount}{"\n"}'
  gpu_llm tinyllama-demo '{.status.phase} {.status.prompts}'
}

gpu_llm_patch() {
  k patch nvidiagpullm -n "$NS_GPU_LLM" tinyllama-demo --type=merge -p "{\"spec\": $1}" >/dev/null
}

# gpu_llm_anew NAME OLD_UID REASON [POD]: another Pod, and the resource is Ready with it.
gpu_llm_anew() {
  gpu_llm_is "$1" Ready "$3" || return
  local pod
  pod=$(gpu_llm_uid "${4:-gpu-llm-pod}")
  [ -n "$pod" ] && [ "$pod" != "$2" ]
}

# ask_gpu_llm SERVICE MODEL
ask_gpu_llm() { ask "http://$1.$NS_GPU_LLM:11434/api/generate" "{\"model\":\"$2\",\"prompt\":\"Hello\",\"stream\":false}"; }
