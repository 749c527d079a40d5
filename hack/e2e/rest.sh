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
  check "the operator was never refused by RBAC" not logged -i forbidden
  check "the operator never panicked" not logged -E 'panicked|"level":"ERROR"'
  check "no container of the operator restarted" equals "0 0" k get pods -n llm-system -l app=llm-operator \
    -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}'
}

# Requests of the leader that change something, beside its Lease.
writes() {
  local ip
  ip=$(field llm-system "pod/$(leader)" '{.status.podIP}')
  client wget -q -O - "http://$ip:8080/metrics" |
    awk '/^llm_operator_api_requests_total/ && !/resource="leases"/ && !/verb="(get|list|watch)"/ {sum += $NF} END {print sum + 0}'
}

logged() { k logs -n llm-system -l app=llm-operator --tail=-1 | grep "$@"; }
