# Weights outlive their Pod, and what is deleted by hand comes back.
# shellcheck shell=bash

check_restarts() {
  step "restarts and drift"
  local old new
  old=$(pod_of "$NS_STRICT" tinyllama)
  check "the first Pod pulled the model" prints 'success' k logs -n "$NS_STRICT" "$old" -c pull-model
  k delete pod -n "$NS_STRICT" "$old" --wait=false >/dev/null
  must "tinyllama is Ready again in a new Pod" within "$TIMEOUT" replaced "$NS_STRICT" tinyllama "$old"
  new=$(pod_of "$NS_STRICT" tinyllama)
  check "the new Pod found the model on the claim" prints 'tinyllama is there' k logs -n "$NS_STRICT" "$new" -c pull-model
  check "and pulled nothing" not prints 'pulling manifest' k logs -n "$NS_STRICT" "$new" -c pull-model
  check "tinyllama answers from the claim" prints '"done":true' \
    ask "http://tinyllama.$NS_STRICT:11434/api/generate" '{"model":"tinyllama","prompt":"Hello","stream":false}'

  # A container that ends is started again in the same Pod, by the kubelet.
  old=$(pod_of "$NS" chat-service)
  inside "$NS" "$old" sh -c 'kill -TERM 1' || true
  check "an engine that ended is started again" within 60 equals 1 field "$NS" "pod/$old" '{.status.containerStatuses[0].restartCount}'
  check "chat-service is Ready after it" within "$TIMEOUT" ready "$NS" chat-service

  k delete service,networkpolicy -n "$NS" chat-service >/dev/null
  check "a deleted Service and NetworkPolicy are made again" within 20 k get -n "$NS" service/chat-service networkpolicy/chat-service
  k patch deployment -n "$NS" chat-service --type=json \
    -p '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"busybox:drifted-e2e"}]' >/dev/null
  check "an image changed by hand is put back" within 20 equals "$(field "$NS" llmmodel.llm.example.com/gpt-small '{.spec.image}')" \
    field "$NS" deployment/chat-service '{.spec.template.spec.containers[0].image}'
  must "chat-service is Ready after the drift" within "$TIMEOUT" ready "$NS" chat-service
}

# The Pod is another one, and its resource is Ready.
replaced() { # NAMESPACE NAME OLD
  ready "$1" "$2" || return
  local pod
  pod=$(pod_of "$1" "$2")
  [ -n "$pod" ] && [ "$pod" != "$3" ]
}
