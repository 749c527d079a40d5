#!/usr/bin/env bash
# What a custom resource definition is: it adds a kind to the API, with a schema, and does nothing else.
#
#   ./01-test-crd.sh                     # KUBECTL=... names another kubectl
#
# Works on a cluster with or without an operator, and as often as you like. cleanup-all-crd-operator.sh removes what it leaves.
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
need_cluster

step "1. A definition extends the API"
install_definition

step "2. kubectl knows it like any other kind"
run get crds "$CRD"
run describe crd "$CRD" | sed -n '1,5p'
run get crd "$CRD" -o yaml | sed -n '1,5p'
[ "$("$KUBECTL" get crd "$CRD" -o 'jsonpath={.spec.names.kind} {.spec.scope}')" = "LLMModel Namespaced" ] ||
  fail "$CRD defines another kind"
subresources=$("$KUBECTL" get crd "$CRD" -o 'jsonpath={.spec.versions[0].subresources}')
[ -n "$subresources" ] || fail "the status subresource is not enabled"
ok "subresources: $subresources"

step "3. The schema is checked by the API server"
if refused=$(sed 's/replicas: 1/replicas: three/' my-llm-model.yaml | k apply --dry-run=server -f - 2>&1); then
  fail "'replicas: three' was taken"
fi
echo "$refused" | sed -n '1,3p'
ok "'replicas: three' is refused"

step "4. An instance, with the usual commands"
existed=$(k get "$CRD" my-model --ignore-not-found -o name)
if [ -z "$existed" ]; then
  run -n "$NAMESPACE" apply -f my-llm-model.yaml
fi
run -n "$NAMESPACE" get llmmodels.ai.example.com my-model
run -n "$NAMESPACE" describe llmmodel.ai.example.com my-model | sed -n '1,8p'
[ "$(k get "$CRD" my-model -o 'jsonpath={.spec.modelName}')" = qwen2.5-0.5b ] || fail "my-model names another model than its file"
ok "my-model is stored"

step "5. A definition alone does nothing"
if until_true "an operator runs in this cluster and acts on my-model: 02-test-operator.sh shows that" 8 looked_at my-model; then
  :
else
  made=$(k get deployments,services,pods -l app.kubernetes.io/instance=my-model -o name)
  [ -z "$made" ] || fail "nobody runs, and yet there is: $made"
  ok "no Deployment, no Service, no Pod, no status: it takes an operator to act"
fi

step "6. It can be deleted like anything else"
if [ -z "$existed" ]; then
  run -n "$NAMESPACE" delete llmmodels.ai.example.com my-model --timeout="${TIMEOUT}s"
  [ -z "$(k get "$CRD" my-model --ignore-not-found -o name)" ] || fail "my-model is still there"
else
  echo "my-model was here before; it stays"
fi

printf "\nPASSED: 01-test-crd.sh  [%ss]\n" "$SECONDS"
