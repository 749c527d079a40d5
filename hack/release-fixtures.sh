#!/usr/bin/env bash
# Keeps what the release of Cargo.toml's version installs and makes: releases/<version>/{crds,crds-optional,manifests,objects}.
# The definitions and objects of every release are compared with those of all later ones; run it once, for the release itself.
set -euo pipefail
cd "$(dirname "$0")/.."
operator=${LLM_OPERATOR:-target/debug/llm-operator}
version=$(awk -F'"' '/^version = / {print $2; exit}' Cargo.toml)
release=releases/v$version
more=crates/llm-operator/tests/upgrade/manifests

if git rev-parse --quiet --verify "refs/tags/v$version" > /dev/null; then
  echo "v$version is released: what it makes stays as it is; raise the version in Cargo.toml first" >&2
  exit 1
fi
rm -rf "$release"
mkdir -p "$release"/{crds,crds-optional,manifests,objects}
"$operator" crds --output-dir "$release/crds"
"$operator" crds --optional --output-dir "$release/crds-optional"

# keep NAME FILE…: the files as one manifest, and what is made of it, unless that is nothing.
keep() {
  local manifest=$release/manifests/$1.yaml objects=$release/objects/$1.yaml
  shift
  local first=true file
  for file in "$@"; do
    $first || echo ---
    first=false
    cat "$file"
  done > "$manifest"
  if ! "$operator" render -f "$manifest" --nodes $more/nodes.yaml -n release > "$objects" 2> "$objects.error"; then
    grep -q '^llm-operator: nothing to render' "$objects.error" || { cat "$objects.error" >&2; exit 1; }
    rm "$manifest" "$objects"
  fi
  rm -f "$objects.error"
}

keep llm-chat-service examples/llm/model.yaml examples/llm/deployment.yaml
for file in examples/llm/*.yaml examples/prem/*.yaml examples/infra/*.yaml examples/ai/*.yaml; do
  family=$(basename "$(dirname "$file")")
  name=$(basename "$file" .yaml)
  case $family-$name in
    llm-model | llm-deployment) ;;
    *) keep "$family-$name" "$file" ;;
  esac
done
keep prem-test examples/test.yaml
keep llm-everything $more/everything.yaml
keep prem-rich $more/rich.yaml
