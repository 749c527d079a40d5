#!/usr/bin/env bash
# A kind cluster on this machine with Traefik as its ingress controller on port 8080, and the operator's image in it.
# Then: make deploy; kubectl apply -f examples/test.yaml; curl http://foo.127.0.0.1.nip.io:8080/v1/completions ...
#
#   IMG=llm-operator:v0.1.0 hack/kind-setup.sh      doing it again repairs what is missing
#
# Variables: KIND_CLUSTER (llm-operator), KIND, DOCKER, HELM, KUBECTL: other programs of these names.
set -euo pipefail
cd "$(dirname "$0")/.."

IMG=${IMG:-llm-operator:v0.1.0}
CLUSTER=${KIND_CLUSTER:-llm-operator}
KIND=${KIND:-kind} DOCKER=${DOCKER:-docker} HELM=${HELM:-helm} KUBECTL=${KUBECTL:-kubectl}

say() { printf '== %s\n' "$*" >&2; }

# Every program that is missing is told at once, with where to get it.
missing=()
while read -r program source; do
  command -v "$program" >/dev/null || missing+=("$program ($source)")
done <<TOOLS
$DOCKER https://docs.docker.com/engine/install
$KIND https://kind.sigs.k8s.io
$KUBECTL https://kubernetes.io/docs/tasks/tools
$HELM https://helm.sh/docs/intro/install
TOOLS
if [ "${#missing[@]}" -gt 0 ]; then
  printf 'kind-setup: install %s, then try again\n' "${missing[@]}" >&2
  exit 2
fi
"$DOCKER" info >/dev/null 2>&1 || { echo "kind-setup: docker does not answer; start its engine, then try again" >&2; exit 2; }

if "$KIND" get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
  say "the kind cluster $CLUSTER is there"
else
  say "creating the kind cluster $CLUSTER (a few minutes the first time)"
  "$KIND" create cluster --name "$CLUSTER" --config hack/kind/cluster.yaml --wait 3m
fi
export KUBECONFIG="${KIND_KUBECONFIG:-$PWD/target/kind-$CLUSTER.kubeconfig}"
mkdir -p "$(dirname "$KUBECONFIG")"
"$KIND" export kubeconfig --name "$CLUSTER" --kubeconfig "$KUBECONFIG"

say "installing Traefik"
"$HELM" upgrade --install traefik traefik --repo https://traefik.github.io/charts \
  --namespace traefik --create-namespace --wait --timeout 5m \
  --set service.type=NodePort --set ports.web.nodePort=30080

say "building $IMG and loading it into the cluster"
"$DOCKER" build -t "$IMG" .
"$KIND" load docker-image "$IMG" --name "$CLUSTER"

"$KUBECTL" get nodes >&2
say "done; now: export KUBECONFIG=$KUBECONFIG && make deploy IMG=$IMG"
