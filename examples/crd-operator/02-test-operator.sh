#!/usr/bin/env bash
# What an operator is: it watches resources, and makes the cluster as they say, again and again.
#
#   ./02-test-operator.sh                # IMG=registry/llm-operator:tag names the operator's image, KUBECTL another kubectl
#
# An operator that already runs (make deploy, make run) is used; otherwise the one of 02-simple-operator.yaml is started. Works
# as often as you like. cleanup-all-crd-operator.sh removes what it leaves.
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
need_cluster
IMG=${IMG:-llm-operator:v0.1.0}
FILE=02-simple-operator.yaml
# How long the model is waited for: a new node first loads its engine's image.
READY_TIMEOUT=${READY_TIMEOUT:-$TIMEOUT}

# apply PART: the objects of the file with this label, with the image asked for.
apply() {
  sed "s|image: llm-operator:v0.1.0|image: $IMG|" "$FILE" | "$KUBECTL" apply -l "example=$1" -f -
}

step "1. The definition"
install_definition

step "2. What you want"
# One of an earlier run would already have a status. What was made for it goes by Kubernetes' garbage collector, which may
# need half a minute to learn of a new kind.
k delete "$CRD" my-chat --ignore-not-found --timeout="${TIMEOUT}s"
gone() {
  [ -z "$(k get deployments,services,networkpolicies -l app.kubernetes.io/instance=my-chat -o name)" ]
}
until_true "there is nothing of an earlier run" "$TIMEOUT" gone || fail "something of an earlier my-chat is left"
apply model

step "3. The operator"
simple=$(k get deployments -l example=operator -o name)
if [ -z "$simple" ] && until_true "an operator runs already, and is used" 8 looked_at my-chat; then
  echo "(its log and its rights are where it runs)"
else
  [ -n "$simple" ] || [ -z "$(k get deployment llm-operator --ignore-not-found -o name)" ] ||
    fail "deployment/llm-operator in namespace $NAMESPACE is not of this example, and does not act on my-chat"
  apply operator
  k rollout status deployment/llm-operator --timeout="${TIMEOUT}s" || {
    k get pods -l app=llm-operator -o wide >&2
    fail "the operator does not start: is its image '$IMG' in this cluster? IMG=... names another"
  }
  run -n "$NAMESPACE" get pods -l app=llm-operator
  run -n "$NAMESPACE" logs -l app=llm-operator --tail=3
  may=$("$KUBECTL" auth can-i create deployments --as="system:serviceaccount:$NAMESPACE:llm-operator" -n "$NAMESPACE" || true)
  [ "$may" = yes ] || fail "system:serviceaccount:$NAMESPACE:llm-operator may not create deployments: $may"
  ok "its ServiceAccount may create deployments"
  k get role llm-operator -o yaml | grep -q 'llmmodels/status' || fail "Role llm-operator has no right to write the status"
  ok "its Role has the status"
fi

step "4. It acts: from what you want to what is there"
until_true "it has looked at my-chat" "$TIMEOUT" looked_at my-chat || {
  k logs -l app=llm-operator --tail=20 >&2
  fail "no operator acts on my-chat"
}
run -n "$NAMESPACE" get llmmodels.ai.example.com my-chat -o wide

made() {
  [ "$(k get deployment my-chat -o 'jsonpath={.spec.replicas}')" = "$1" ]
}

if until_true "Deployment my-chat exists" 15 made 1; then
  run -n "$NAMESPACE" get deployments,services -l app.kubernetes.io/instance=my-chat

  step "5. You change your mind, and it follows"
  run -n "$NAMESPACE" patch llmmodels.ai.example.com my-chat --type=merge -p '{"spec":{"replicas":2}}'
  until_true "the Deployment has 2 replicas" "$TIMEOUT" made 2 || fail "the Deployment does not follow"

  step "6. Somebody deletes what it made, and it is made again"
  before=$(k get deployment my-chat -o 'jsonpath={.metadata.uid}')
  run -n "$NAMESPACE" delete deployment my-chat
  again() {
    local uid
    uid=$(k get deployment my-chat -o 'jsonpath={.metadata.uid}') && [ "$uid" != "$before" ]
  }
  until_true "there is another Deployment my-chat" "$TIMEOUT" again || fail "it was not made again"

  step "7. The status says how things are"
  ready() {
    [ "$(state_of my-chat)" = Ready ]
  }
  until_true "my-chat is Ready" "$READY_TIMEOUT" ready ||
    echo "not Ready after $READY_TIMEOUT s; the image and the weights may still be on their way. What it waits for:"
else
  step "5. It does not act, and says why"
  echo "A model runs on a GPU; without one nothing is made:"
fi
run -n "$NAMESPACE" get llmmodels.ai.example.com my-chat \
  -o 'jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}'
[ -n "$(k get "$CRD" my-chat -o 'jsonpath={.status.conditions}')" ] || fail "the status has no conditions"

step "8. Events"
k get events --sort-by=.lastTimestamp --field-selector involvedObject.kind=LLMModel,involvedObject.name=my-chat | tail -n 20

printf "\nPASSED: 02-test-operator.sh  [%ss]\n" "$SECONDS"
