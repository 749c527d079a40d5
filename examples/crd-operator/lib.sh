# What the scripts of this folder share; `. ./lib.sh`. Works with bash 3.2 and later.

KUBECTL=${KUBECTL:-kubectl}
# The documents' commands are about this namespace.
NAMESPACE=default
CRD=llmmodels.ai.example.com
# Seconds that anything may take; loading an image or a model can need more.
TIMEOUT=${TIMEOUT:-120}

# A headline, with the seconds since the start.
step() {
  printf '\n=== %s  [%ss]\n' "$*" "$SECONDS"
}

# Shows a kubectl command and runs it.
run() {
  printf '$ kubectl %s\n' "$*"
  "$KUBECTL" "$@"
}

# The same in the namespace of the examples.
k() {
  "$KUBECTL" -n "$NAMESPACE" "$@"
}

ok() {
  printf 'ok: %s\n' "$*"
}

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# until_true WHAT SECONDS COMMAND...: waits until the command succeeds.
until_true() {
  local what=$1 seconds=$2 waited=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    waited=$((waited + 1))
    if [ "$waited" -gt "$seconds" ]; then
      return 1
    fi
    sleep 1
  done
  ok "$what"
}

# The word of state of an LLMModel, empty while nobody has looked at it.
state_of() {
  k get llmmodels.ai.example.com "$1" -o 'jsonpath={.status.state}'
}

# Whether some operator has looked at an LLMModel.
looked_at() {
  [ -n "$(state_of "$1")" ]
}

# Stops with one sentence when there is no cluster.
need_cluster() {
  "$KUBECTL" version >/dev/null 2>&1 ||
    fail "'$KUBECTL version' does not reach a cluster: set KUBECONFIG, or KUBECTL to your kubectl"
}

# Installs the definition, unless there is one that the examples did not install.
install_definition() {
  local found
  found=$("$KUBECTL" get crd "$CRD" --ignore-not-found -o 'jsonpath={.metadata.name} {.metadata.labels.example}')
  if [ -z "$found" ] || [ "$found" = "$CRD crd-operator" ]; then
    run apply -f 01-what-is-crd.yaml
    # So that the cleanup knows whose it is.
    "$KUBECTL" label --overwrite crd "$CRD" example=crd-operator >/dev/null
  else
    echo "$CRD is here already; it stays as it is"
  fi
  "$KUBECTL" wait --for=condition=Established "crd/$CRD" --timeout="${TIMEOUT}s" >/dev/null
  until_true "the API server serves llmmodels" "$TIMEOUT" k get "$CRD" || fail "$CRD is not served"
}
