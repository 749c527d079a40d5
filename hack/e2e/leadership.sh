# The leader's Pod is killed; the other replica leads and goes on.
# shellcheck shell=bash

check_leadership() {
  step "the leader is killed"
  local old
  check_logs
  old=$(leader)
  k delete pod -n llm-system "$old" --grace-period=0 --force >/dev/null 2>&1
  k delete service -n "$NS" chat-service >/dev/null
  check "another replica leads" within 40 leads_other_than "$old"
  check "it repairs what was deleted meanwhile" within 20 k get -n "$NS" service/chat-service
  check "both replicas are there again" k rollout status -n llm-system deployment/llm-operator --timeout="${TIMEOUT}s"
  check "chat-service is Ready" within 30 ready "$NS" chat-service
}

leads_other_than() { leads && [ "$(leader)" != "$1" ]; }
