# At rest the operator writes nothing but its Lease, and its log knows no refusal.
# shellcheck shell=bash

REST_SECONDS=30

check_rest() {
  step "at rest"
  k delete namespace "$NS_BROKEN" --timeout="${TIMEOUT}s" >/dev/null
  check "a namespace full of broken deployments can be deleted" not k get namespace "$NS_BROKEN"
  local before after
  before=$(writes)
  sleep "$REST_SECONDS"
  after=$(writes)
  check "no write in $REST_SECONDS s at rest" equals "$before" echo "$after"
  check "the metrics count its writes" test "$before" -gt 0
  check_logs
  check "no container of the operator restarted" equals "0 0" k get pods -n llm-system -l app=llm-operator \
    -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}'
}

# Requests of the leader that change something, beside its Lease.
writes() {
  leaders_metrics |
    awk '/^llm_operator_api_requests_total/ && !/resource="leases"/ && !/verb="(get|list|watch)"/ {sum += $NF} END {print sum + 0}'
}

# Of the Pods that live now: called before a leader is killed and at the end.
check_logs() {
  check "the operator was not refused by RBAC" never_logged -i forbidden
  check "the operator did not panic nor log an error" never_logged -E 'panicked|"level":"ERROR"'
}

# No log at all is no proof.
never_logged() {
  local log
  log=$(k logs -n llm-system -l app=llm-operator --tail=-1) && [ -n "$log" ] || { echo "no log could be read"; return 1; }
  ! grep "$@" <<<"$log"
}
