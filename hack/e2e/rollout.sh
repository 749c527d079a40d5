# A new model version reaches users without a failed request; a bad one takes nothing away from them.
# shellcheck shell=bash

# Asks without a pause until told to stop, counts, and notes when one failed.
LOOP='rm -f /tmp/stop /tmp/failures; ok=0; bad=0
while [ ! -e /tmp/stop ]; do
  if timeout 5 wget -q -O /dev/null --header "Content-Type: application/json" --post-data "$2" "$1"; then ok=$((ok + 1));
  else bad=$((bad + 1)); date >>/tmp/failures; fi
done
tail -n 3 /tmp/failures 2>/dev/null; echo "$ok answered, $bad failed"; [ "$ok" -gt 50 ] && [ "$bad" -eq 0 ]'

check_rollout() {
  step "a new version under load"
  local v1 v2 loop
  v1=$(field "$NS" llmmodel.llm.example.com/gpt-small '{.spec.image}')
  v2=${E2E_GPT_SMALL_V2:-your-registry/gpt-small:v2}
  must "chat-service is Ready before" within "$TIMEOUT" ready "$NS" chat-service
  client sh -c "$LOOP" loop "http://chat-service.$NS:8080/v1/chat/completions" "{$CHAT_JSON}" >"$(loop_log)" 2>&1 &
  loop=$!

  set_image busybox:no-such-tag-e2e
  check "a version that cannot be pulled is told, and takes no replica away" within 60 stuck_but_serving
  set_image "$v2"
  check "the model's new version is rolled out" within "$TIMEOUT" runs_image "$v2"
  set_image "$v1"
  check "and back" within "$TIMEOUT" runs_image "$v1"

  client touch /tmp/stop
  if wait "$loop"; then passed "no request failed: $(tail -n 1 "$(loop_log)")"; else failed "requests during the rollouts: $(tail -n 5 "$(loop_log)" | tr '\n' ' ')"; fi
  rm -f "$(loop_log)"
}

loop_log() { echo "${TMPDIR:-/tmp}/llm-operator-e2e-$$.log"; }

set_image() {
  k patch llmmodel.llm.example.com/gpt-small -n "$NS" --type=merge -p "{\"spec\":{\"image\":\"$1\"}}" >/dev/null
}

stuck_but_serving() {
  equals "Blocked True ImageNotFound" field "$NS" llmdeployment.llm.example.com/chat-service \
    '{.status.state} {.status.conditions[?(@.type=="Ready")].status} {.status.reason}' &&
    prints "the registry has no image" sentence_of "$NS" chat-service
}

# Ready, with the image in the status and in every Pod that is not ending.
runs_image() {
  ready "$NS" chat-service && equals "$1" field "$NS" llmdeployment.llm.example.com/chat-service '{.status.image}' || return
  local images
  images=$(k get pods -n "$NS" -l llm-operator.io/name=chat-service \
    -o go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{(index .spec.containers 0).image}}{{"\n"}}{{end}}{{end}}' | sort -u)
  [ "$images" = "$1" ]
}
