#!/usr/bin/env bash
# image-tree.sh OUT: the image's file tree in the directory OUT, without Docker, and what can be tried of it: its size (at most
# 120 MB), and both programs started in it, alone, as the image's user, with nothing that can be written to.
#
# OPERATOR, HELM_BINARY, LICENSES: use these instead of building them.
set -euo pipefail
out=${1:?usage: image-tree.sh OUT}
cd "$(dirname "$0")/.."
limit=120000000

rm -rf "$out"
mkdir -p "$out"/{etc/ssl/certs,licenses,opt/manifests,proc,dev}
if [[ -n ${OPERATOR:-} ]]; then cp "$OPERATOR" "$out/llm-operator"; else hack/image-operator.sh "$out/llm-operator"; fi
if [[ -n ${HELM_BINARY:-} ]]; then cp "$HELM_BINARY" "$out/helm"; else hack/image-helm.sh "$out/helm"; fi
if [[ -n ${LICENSES:-} ]]; then
  cp "$LICENSES"/* "$out/licenses/"
else
  cargo run --quiet -p testkit --bin sbom -- --output-dir "$out/licenses"
fi
cp LICENSE "$out/licenses/LICENSE"
cp -r opt/manifests/llmd "$out/opt/manifests/llmd"
cp /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/ca-certificates.crt"
chmod -R u=rwX,go=rX "$out"
chmod 0755 "$out/llm-operator" "$out/helm"

for program in llm-operator helm; do
  if LC_ALL=C readelf -l "$out/$program" | grep -q 'Requesting program interpreter'; then
    echo "$program is linked dynamically: it would not start in an image without libraries" >&2
    exit 1
  fi
done

# start PROGRAM ARG…: in the tree alone, which is read-only, as user 65532.
start() {
  if ((EUID == 0)); then
    # chroot itself needs root: the user changes behind it.
    unshare --mount --pid --fork bash -euc '
      root=$1; shift
      mount --bind "$root" "$root"
      mount -o remount,bind,ro "$root"
      exec chroot --userspec=65532:65532 --groups= "$root" "$@"' -- "$out" "$@"
  else
    echo "not root: the programs are started outside of the tree" >&2
    "$out$1" "${@:2}"
  fi
}
start /llm-operator version
start /helm version --short
# Without a cluster it says so, and ends; whatever it needs beside a cluster is in the tree.
if message=$(start /llm-operator run --http-address 127.0.0.1:0 2>&1); then
  echo "the operator runs without a cluster: $message" >&2
  exit 1
fi
grep -qi 'kubeconfig\|cluster' <<< "$message" || { echo "unexpected: $message" >&2; exit 1; }

bytes=$(du --apparent-size --bytes --summarize "$out" | cut -f1)
echo "size: $((bytes / 1000000)) MB (llm-operator $(($(stat -c %s "$out/llm-operator") / 1000000)), helm $(($(stat -c %s "$out/helm") / 1000000)))"
if ((bytes > limit)); then
  echo "larger than $((limit / 1000000)) MB" >&2
  exit 1
fi
