#!/usr/bin/env bash
# image-operator.sh FILE: builds the operator as one static, stripped binary. The Dockerfile and image-tree.sh use it.
# PROFILE=dev builds faster and larger.
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")/.."
profile=${PROFILE:-release}
# crt-static needs --target, or it would be applied to procedural macros as well.
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS='-C target-feature=+crt-static' CARGO_INCREMENTAL=0 \
  cargo build --profile "$profile" --locked -p llm-operator --bin llm-operator --target "$target"
folder=$profile
[[ $profile == dev ]] && folder=debug
strip -o "$out" "${CARGO_TARGET_DIR:-target}/$target/$folder/llm-operator"
