# What a real kubelet, scheduler and runtime say, explained: config/e2e/diagnosis holds one deployment per case, with the reason
# and the words that its status must show.
# shellcheck shell=bash

check_diagnosis() {
  step "diagnosis"
  k create secret generic -n "$NS_BROKEN" e2e-secret --from-literal=key=value >/dev/null
  cat config/e2e/diagnosis/*.yaml | with_images | k apply -n "$NS_BROKEN" -f - >/dev/null
  # The slowest cause shows itself only after some restarts with the kubelet's growing pauses between them.
  within 120 all_explained >/dev/null || true
  local name wanted words reason message
  while IFS=$'\t' read -r name wanted words reason message; do
    if [ "$reason" = "$wanted" ] && [[ $message == *$words* ]]; then
      passed "$reason: $message"
    else
      failed "$name: wanted $wanted ...$words..., got $reason: $message"
    fi
  done < <(explanations)
  check "the reasons stay the same while the kubelet retries" steady
  check "one Event per cause, not per retry" few_events
}

# name, reason wanted, words wanted, reason, message
explanations() {
  k get llmdeployments.llm.example.com -n "$NS_BROKEN" -o go-template='{{range .items}}{{.metadata.name}}{{"\t"}}{{
    index .metadata.annotations "e2e.llm-operator.io/reason"}}{{"\t"}}{{index .metadata.annotations "e2e.llm-operator.io/words"}}{{"\t"}}{{
    .status.reason}}{{"\t"}}{{range .status.conditions}}{{if eq .type "Ready"}}{{.message}}{{end}}{{end}}{{"\n"}}{{end}}'
}

all_explained() {
  local name wanted words reason message
  while IFS=$'\t' read -r name wanted words reason message; do
    # shellcheck disable=SC2053 # the words may hold a *
    [ "$reason" = "$wanted" ] && [[ $message == *$words* ]] || { echo "$name is $reason: $message"; return 1; }
  done < <(explanations)
}

steady() {
  local last=$((SECONDS + 25)) change now
  while [ "$SECONDS" -lt "$last" ]; do
    now=$(explanations) && [ -n "$now" ] || { echo "no status could be read"; return 1; }
    change=$(printf '%s\n' "$now" | awk -F'\t' '$2 != $4 {print $1 " turned " $4 ": " $5}')
    [ -z "$change" ] || { echo "$change"; return 1; }
    sleep 1
  done
}

# Besides the way through Loading, a cause is told once; a case may pass through one other cause before.
few_events() {
  local many
  many=$(k get events.events.k8s.io -n "$NS_BROKEN" -o go-template='{{range .items}}{{if eq .regarding.kind "LLMDeployment"}}{{
    .regarding.name}} {{.reason}}{{"\n"}}{{end}}{{end}}' | sort | uniq -c | awk '$1 > 1')
  [ -z "$many" ] || { echo "$many"; return 1; }
}
