#!/usr/bin/env bash
# Removes what the examples of this folder have made: the model, the simple operator, and the definition if they installed it.
#
# Deleting a definition deletes all its instances, so one that the examples did not install stays, and so does one with
# instances of other people (FORCE=yes deletes it all the same).
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
need_cluster

step "The models"
if "$KUBECTL" get crd "$CRD" >/dev/null 2>&1; then
  k delete "$CRD" my-model my-chat --ignore-not-found --timeout="${TIMEOUT}s"
  gone() {
    [ -z "$(k get deployments,services,pods -l 'app.kubernetes.io/instance in (my-model, my-chat)' -o name)" ]
  }
  until_true "everything that was made for them is gone" "$TIMEOUT" gone || fail "something of them is left"
fi

step "The simple operator"
# Only what the example made: others may have an operator of the same name.
if [ -n "$(k get deployments -l example=operator -o name)" ]; then
  k delete deployments -l example=operator --cascade=foreground --timeout="${TIMEOUT}s"
  k delete lease llm-operator --ignore-not-found
fi
k delete serviceaccounts,roles,rolebindings -l example=operator
"$KUBECTL" delete clusterroles,clusterrolebindings -l example=operator

step "The definition"
installed=$("$KUBECTL" get crd -l example=crd-operator -o name)
if [ -z "$installed" ]; then
  echo "$CRD was not installed by the examples; it stays if it is there"
else
  others=$("$KUBECTL" get "$CRD" -A -o name)
  if [ -n "$others" ] && [ "${FORCE:-}" != yes ]; then
    echo "$CRD has instances of others; it stays (FORCE=yes deletes it and them):"
    echo "$others"
  else
    "$KUBECTL" delete "$installed" --wait=false
    # kube-apiserver may fail at its first look for the instances and come back only after minutes; a change wakes it.
    waited=0
    while [ -n "$("$KUBECTL" get crd -l example=crd-operator -o name)" ]; do
      waited=$((waited + 1))
      [ "$waited" -le "$TIMEOUT" ] || fail "$CRD is still there"
      if [ $((waited % 5)) = 0 ]; then
        "$KUBECTL" annotate --overwrite "$installed" "example/waited=$waited" >/dev/null 2>&1 || true
      fi
      sleep 1
    done
    ok "$CRD is gone, and with it every instance"
  fi
fi
printf '\nCLEAN\n'
