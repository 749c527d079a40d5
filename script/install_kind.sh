#!/usr/bin/env bash
# Installs kind, which runs Kubernetes in containers: the release for this machine, checked against its published checksum.
# Where it cannot be downloaded and Go is there, it is built from source instead, checked by Go's own checksums.
# Doing it again changes nothing. Then: make kind-setup
#
#   script/install_kind.sh                    into /usr/local/bin when that can be written, else ~/.local/bin
#
# Variables: KIND_VERSION (v0.33.0), KIND_INSTALL_DIR, KIND_DOWNLOADS (https://kind.sigs.k8s.io/dl): a mirror.
set -euo pipefail

VERSION=${KIND_VERSION:-v0.33.0}
DOWNLOADS=${KIND_DOWNLOADS:-https://kind.sigs.k8s.io/dl}
if [ -n "${KIND_INSTALL_DIR:-}" ]; then
  DIR=$KIND_INSTALL_DIR
elif [ -w /usr/local/bin ]; then
  DIR=/usr/local/bin
else
  DIR=$HOME/.local/bin
fi

say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'install_kind: %s\n' "$*" >&2; exit 1; }

if [ -x "$DIR/kind" ] && "$DIR/kind" version 2>/dev/null | grep -qE "(^| )$VERSION( |$)"; then
  say "kind $VERSION is in $DIR already"
  exit 0
fi

os=$(uname -s | tr '[:upper:]' '[:lower:]')
case "$(uname -m)" in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "kind has no release for $(uname -m); build it: go install sigs.k8s.io/kind@$VERSION" ;;
esac
file=kind-$os-$arch

mkdir -p "$DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if curl -fsSL --retry 2 --connect-timeout 10 -o "$work/kind" "$DOWNLOADS/$VERSION/$file" \
  && curl -fsSL --retry 2 --connect-timeout 10 -o "$work/sum" "$DOWNLOADS/$VERSION/$file.sha256sum"; then
  expected=$(awk '{print $1; exit}' "$work/sum")
  found=$(sha256sum "$work/kind" | awk '{print $1}')
  [ "$expected" = "$found" ] || fail "$file has the checksum $found, but $expected is published; nothing was installed"
elif command -v go >/dev/null; then
  say "$DOWNLOADS cannot be reached; building kind $VERSION with Go"
  GOBIN=$work GOFLAGS=-mod=mod go install "sigs.k8s.io/kind@$VERSION" || fail "kind $VERSION cannot be built"
else
  fail "$DOWNLOADS cannot be reached, and there is no Go to build kind with; see https://kind.sigs.k8s.io"
fi

install -m 0755 "$work/kind" "$DIR/kind"
say "kind $VERSION is in $DIR"
case ":$PATH:" in
  *":$DIR:"*) ;;
  *) say "$DIR is not in your PATH: export PATH=\"$DIR:\$PATH\"" ;;
esac
