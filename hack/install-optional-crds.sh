#!/usr/bin/env bash
# Installs the definitions that belong to others on many clusters (config/crd-optional), each only where there is none of
# its name, or ours: ours carry a label. `kubectl apply` alone would take over the others'.
set -euo pipefail
KUBECTL=${KUBECTL:-kubectl}

foreign=0
for file in config/crd-optional/*.yaml; do
  name=$("$KUBECTL" get --ignore-not-found -o name -f "$file")
  owner=$("$KUBECTL" get --ignore-not-found -o jsonpath='{.metadata.labels.app\.kubernetes\.io/part-of}' -f "$file")
  if [[ -n $name && $owner != llm-operator ]]; then
    echo "$name belongs to others and is left as it is; what it defines is not read by this operator" >&2
    foreign=1
  else
    "$KUBECTL" apply -f "$file"
  fi
done
exit $foreign
