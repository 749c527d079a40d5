#!/usr/bin/env bash
# Deletes the custom resource definitions, and with them every resource, and waits until they are gone. Of the optional
# ones (config/crd-optional) only those that are ours: they carry a label.
#
# kube-apiserver (seen with 1.36) may fail at its first look for the resources of a definition ("storage is
# (re)initializing"), and then comes back to it only after minutes. A change of the definition makes it look again.
set -euo pipefail
KUBECTL=${KUBECTL:-kubectl}
OPTIONAL=app.kubernetes.io/part-of=llm-operator

"$KUBECTL" delete --ignore-not-found --wait=false -f config/crd
"$KUBECTL" delete crd --ignore-not-found --wait=false -l "$OPTIONAL"
for ((second = 1; ; second++)); do
  left=$("$KUBECTL" get --ignore-not-found -o name -f config/crd)
  left+=" $("$KUBECTL" get crd -o name -l "$OPTIONAL")"
  [[ $left == *[![:space:]]* ]] || break
  if ((second % 5 == 0)); then
    echo "still being deleted:" $left >&2
    # shellcheck disable=SC2086 # one argument per name
    "$KUBECTL" annotate --overwrite $left "llm-operator.io/waited=$second" >/dev/null 2>&1 || true
  fi
  sleep 1
done
