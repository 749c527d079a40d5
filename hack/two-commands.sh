#!/usr/bin/env bash
# The README's two commands, as somebody types them who has just cloned the project. Each ends with its time; the first that fails ends it.
#
#   hack/two-commands.sh           clone what is committed here, and run them in the clone with empty caches of cargo, Go and our own (2 hours on two cores, 20 GiB)
#   hack/two-commands.sh --here    run them in this checkout, with the caches of this machine; CI, whose checkout is a fresh clone, does this
#   hack/two-commands.sh --list    print them
#
# Variables: TWO_COMMANDS_FROM: clone this repository instead; TMPDIR: where; KEEP=1: leave the clone and the caches for a look.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*" >&2; }

# The first block of code below the heading, without comments.
commands() {
  awk '/^## / {section = ($0 == "## Two commands")}
       section && /^    / {block = 1; sub(/ *#.*/, ""); sub(/^ */, ""); print; next}
       block {exit}' "$1"
}

# `make demo` goes on until somebody ends it, unless told to end with a verdict.
run() {
  local command begun
  while read -r command <&3; do
    say "$command"
    begun=$SECONDS
    ONCE=1 $command || { say "$command has failed after $((SECONDS - begun)) s"; return 1; }
    say "$command took $((SECONDS - begun)) s"
  done 3< <(commands README.md)
}

case "${1:-}" in
  --list) commands README.md; exit ;;
  --here) run; exit ;;
  "") ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

from=${TWO_COMMANDS_FROM:-$PWD}
work=$(mktemp -d "${TMPDIR:-/tmp}/two-commands.XXXXXX")
# Go makes its module cache read-only.
[ -n "${KEEP:-}" ] || trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
free_kib=$(df --output=avail -k "$work" | tail -1)
((free_kib > 20 * 1024 * 1024)) || say "only $((free_kib / 1024 / 1024)) GiB are free in $work"

# The toolchain and how this machine reaches registries are what the README asks for; everything that was ever fetched or built is left behind.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} GOENV=${GOENV:-$(go env GOENV)}
old=${CARGO_HOME:-$HOME/.cargo}
export CARGO_HOME=$work/cargo HOME=$work/home XDG_CACHE_HOME=$work/cache
export GOPATH=$work/go GOMODCACHE=$work/go/pkg/mod GOCACHE=$work/go/build
unset CARGO_TARGET_DIR LLM_OPERATOR_CONTROL_PLANE_BIN LLM_OPERATOR_HELM_BIN
mkdir -p "$CARGO_HOME" "$HOME" "$XDG_CACHE_HOME"
if [ -f "$old/config.toml" ]; then cp "$old/config.toml" "$CARGO_HOME/"; fi

say "cloning $from into $work/llm-operator"
git clone --quiet --no-local "$from" "$work/llm-operator"
cd "$work/llm-operator"
run
say "both commands work, from nothing, in $SECONDS s"
