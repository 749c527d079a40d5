# What runs is what we build: the operator's own image renders the same YAML in the cluster, and the cluster has exactly that; and
# each engine was started with the command of its Pod.
# shellcheck shell=bash

# check_as_built NAMESPACE WHAT <YAML: every field of what `render` prints stands so in the cluster.
check_as_built() {
  local objects
  objects=$(rendered "$1") || { failed "$2 is rendered by the image: $objects"; return 0; }
  check "$2: the cluster has what the operator's image renders, $(grep -c '^kind: ' <<<"$objects") objects" nothing \
    differs <<<"$objects"
}

# The objects of the YAML on standard input, without what only the cluster knows: whose they are.
rendered() { # NAMESPACE
  k run e2e-render -n llm-system --image="$IMG" --restart=Never --rm -i --quiet --override-type=strategic --overrides='{"spec": {
    "automountServiceAccountToken": false,
    "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [{"name": "e2e-render", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}' \
    -- render -n "$1" -f - | sed -e '/^  ownerReferences:$/,/^    uid: /d' -e '/^    llm-operator.io\/applied-hash: /d'
}

# The API server itself says what would change.
differs() { k diff --server-side --force-conflicts --field-manager=e2e -f -; }

# check_command NAMESPACE POD CONTAINER: process 1 is the command of the Pod, which was not restarted.
check_command() {
  check "$2: $3 runs the command of its Pod, $(field "$1" "pod/$2" "{.spec.containers[?(@.name==\"$3\")].image}")" runs_command "$@"
}
runs_command() {
  local wanted got
  wanted=$(k get pod -n "$1" "$2" -o go-template="{{range .spec.containers}}{{if eq .name \"$3\"}}{{range .command}}{{.}}{{\"\\n\"}}{{end}}{{range .args}}{{.}}{{\"\\n\"}}{{end}}{{end}}{{end}}") || return
  got=$(k exec -n "$1" "$2" -c "$3" -- cat /proc/1/cmdline | tr '\0' '\n') || return
  # The image's own entry point, and who interprets a script, come before it.
  [ -n "$got" ] && [[ $got == *"$wanted" ]] || { printf 'wanted: %s\ngot:    %s\n' "$wanted" "$got"; return 1; }
  equals 0 field "$1" "pod/$2" "{.status.containerStatuses[?(@.name==\"$3\")].restartCount}"
}
