#!/usr/bin/env bash
# Takes the operator's finalizers off the resources that have one, so that they can be deleted while no operator runs.
# An operator that comes back puts them on again. Finalizers of others stay.
#
#   KUBECTL=kubectl hack/release-finalizers.sh                    # everywhere
#   NAMESPACES="team-a team-b" hack/release-finalizers.sh        # in these: for namespaces that are no longer watched
set -euo pipefail
KUBECTL=${KUBECTL:-kubectl}
NAMESPACES=${NAMESPACES:-}

# resource finalizer; a resource without namespace is listed with "-" in its place
release() {
  local resource=$1 finalizer=$2 namespace name others
  "$KUBECTL" get "crd/$resource" --ignore-not-found -o name | grep -q . || return 0
  "$KUBECTL" get "$resource" -A -o go-template='{{range .items}}{{$item := .}}{{range .metadata.finalizers}}{{if eq . "'"$finalizer"'"}}{{or $item.metadata.namespace "-"}} {{$item.metadata.name}}{{"\n"}}{{end}}{{end}}{{end}}' |
    while read -r namespace name; do
      [[ -z $NAMESPACES || " $NAMESPACES " == *" $namespace "* ]] || continue
      others=$("$KUBECTL" get "$resource" -n "${namespace#-}" "$name" -o go-template='{{range .metadata.finalizers}}{{if ne . "'"$finalizer"'"}}"{{.}}",{{end}}{{end}}')
      "$KUBECTL" patch "$resource" -n "${namespace#-}" "$name" --type=merge -p "{\"metadata\":{\"finalizers\":[${others%,}]}}"
    done
}

release autonodelabelers.premlabs.io premlabs.io/node-labels
release nvidiagpullms.infra.example.com infra.example.com/gpu-llm
# Its releases stay.
release llmds.components.platform.opendatahub.io components.platform.opendatahub.io/llm-d-releases
