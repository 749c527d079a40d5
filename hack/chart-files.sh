#!/usr/bin/env bash
# Copies what the chart shares with config/ into the chart: definitions and roles. A Helm chart can read only files of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=helm-charts/llm-operator

# from to: the YAML files of one folder are those of the other
mirror() {
  mkdir -p "$chart/$2"
  rm -f "$chart/$2"/*.yaml
  cp "$1"/*.yaml "$chart/$2/"
}

mirror config/crd crds
mirror config/crd-optional crds-optional
mirror config/rbac rbac
