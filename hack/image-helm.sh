#!/usr/bin/env bash
# image-helm.sh FILE: builds the pinned Helm CLI as one static binary. The Dockerfile and image-tree.sh use it.
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")/../crates/testkit/control-plane/helm"
version=$(GOWORK=off go list -m -f '{{.Version}}' helm.sh/helm/v4)
CGO_ENABLED=0 GOWORK=off go build -trimpath -buildvcs=false -mod=readonly -o "$out" \
  -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" helm.sh/helm/v4/cmd/helm
