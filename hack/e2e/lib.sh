# Checks, waits and words for the steps of hack/e2e.sh; sourced, never run by itself.
# shellcheck shell=bash

PASSED=0
FAILED=()
STARTED=$SECONDS

# Progress on standard error, so that a function's output stays its answer.
say() { printf '[%4d s] %s\n' "$((SECONDS - STARTED))" "$*" >&2; }
step() { printf '\n' >&2; say "== $*"; }

passed() { PASSED=$((PASSED + 1)); say "ok    $*"; }
failed() { FAILED+=("$*"); say "FAIL  $*"; }

# check WHAT COMMAND...: counts, tells what the command printed when it fails, and goes on.
check() { holds "$@" || true; }

# must WHAT COMMAND...: as check, but nothing after it makes sense without it.
must() { holds "$@" || exit 1; }

holds() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed "$what"
  else
    failed "$what"
    [ -z "$output" ] || printf '%s\n' "$output" | tail -n 15 | sed 's/^/           /' >&2
    return 1
  fi
}

# within SECONDS COMMAND...: true as soon as the command is; asks once a second.
within() {
  local last=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$last" ] || { "$@"; return; }
    sleep 1
  done
}

# equals WANTED COMMAND...: the command prints exactly that.
equals() {
  local wanted=$1 got
  shift
  got=$("$@") || return
  [ "$got" = "$wanted" ] || { echo "wanted: $wanted"; echo "got:    $got"; return 1; }
}

# prints PART COMMAND...: the command prints that part.
prints() {
  local part=$1 got
  shift
  got=$("$@") || { echo "$got"; return 1; }
  [[ $got == *"$part"* ]] || { echo "wanted: ...$part..."; echo "got:    $got"; return 1; }
}

# nothing COMMAND...: the command succeeds and prints nothing.
nothing() { equals "" "$@"; }

# not COMMAND...: the command fails.
not() { ! "$@"; }

k() { "$KUBECTL" "$@"; }

# field NAMESPACE OBJECT JSONPATH
field() { k get -n "$1" "$2" -o "jsonpath=$3"; }

# ready NAMESPACE LLMDEPLOYMENT: its own word for it, about the present spec.
ready() {
  equals "Ready/True/same" state_of "$1" "$2"
}
state_of() {
  field "$1" "llmdeployment.llm.example.com/$2" \
    '{.status.state}/{.status.conditions[?(@.type=="Ready")].status}/{.metadata.generation}/{.status.observedGeneration}' |
    awk -F/ '{print $1 "/" $2 "/" ($3 == $4 ? "same" : "old")}'
}
sentence_of() { field "$1" "llmdeployment.llm.example.com/$2" '{.status.conditions[?(@.type=="Ready")].message}'; }

pods_of() { # NAMESPACE LLMDEPLOYMENT: names of its Pods that are not ending, one per line
  k get pods -n "$1" -l "llm-operator.io/name=$2" \
    -o go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}'
}
# No `head`: it would end the pipe early, and with it the script.
pod_of() { pods_of "$1" "$2" | awk 'NR == 1'; }

# inside NAMESPACE POD COMMAND...: run in the engine's container.
inside() {
  local namespace=$1 pod=$2
  shift 2
  k exec -n "$namespace" "$pod" -c engine -- "$@"
}

# client COMMAND...: run in the client's Pod.
client() { k exec -n "$NS" e2e-client -- "$@"; }

# ask URL JSON: POST from inside the cluster.
ask() { client wget -q -O - --header 'Content-Type: application/json' --post-data "$2" "$1"; }

# steady_for SECONDS COMMAND...: the command stays true for so long.
steady_for() {
  local last=$((SECONDS + $1))
  shift
  while [ "$SECONDS" -lt "$last" ]; do
    "$@" || return
    sleep 1
  done
}

# What the leader counts, as the Pod itself is told: no other Pod may ask on that port.
leaders_metrics() {
  local forward code=0
  "$KUBECTL" port-forward -n llm-system "pod/$(leader)" "${METRICS_PORT:-18080}:8080" >/dev/null 2>&1 &
  forward=$!
  curl -sS --fail --retry 20 --retry-delay 1 --retry-connrefused "http://127.0.0.1:${METRICS_PORT:-18080}/metrics" || code=$?
  kill "$forward"
  wait "$forward" 2>/dev/null || true
  return "$code"
}

leader() { field llm-system lease/llm-operator '{.spec.holderIdentity}'; }

# Where to look when something failed.
post_mortem() {
  say "what the cluster says:"
  k get llmdeployments.llm.example.com -A -o wide >&2 || true
  k get aideployments.premlabs.io,nvidiagpullms.infra.example.com -A -o wide >&2 || true
  k get llmmodels.ai.example.com,modeldeployments.ai.example.com,horizontalpodautoscalers -A -o wide >&2 || true
  k get llmds.components.platform.opendatahub.io -o wide >&2 || true
  k get pods -A -l app.kubernetes.io/managed-by=llm-operator -o wide >&2 || true
  "$HELM" list -A >&2 || true
  k logs -n llm-system -l app=llm-operator --tail=15 --prefix >&2 || true
}

verdict() {
  printf '\n' >&2
  if [ "${#FAILED[@]}" -gt 0 ]; then
    printf 'failed: %s\n' "${FAILED[@]}" >&2
  fi
  printf 'e2e: %d checks passed, %d failed, in %d s\n' "$PASSED" "${#FAILED[@]}" "$((SECONDS - STARTED))"
}
