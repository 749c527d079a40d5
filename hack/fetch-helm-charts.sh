#!/usr/bin/env bash
# Fetches llm-d's three charts for clusters without a network, and renders them for Kustomize.
#
# In:  versions and repositories, as options or environment variables; the Helm 4 CLI ($HELM or helm on the PATH).
# Out: opt/manifests/llmd/charts/<name>-<version>.tgz        the charts: the charts directory of `llm-operator` (CHARTS_DIR)
#      opt/manifests/llmd/{base,overlays/default}            all objects, for `kubectl apply -k opt/manifests/llmd/overlays/default`
#
# The objects are those that the operator would deploy (`llm-operator render`): by their default values the charts do not fit together, and
# one of them refuses to be rendered. Runs with bash 3.2; a second run fetches nothing.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
helm=${HELM:-helm}
modelservice=${MODELSERVICE_VERSION:-0.2.11}
infra=${INFRA_VERSION:-1.3.3}
gateway_api=${GATEWAY_API_VERSION:-1.0.1}
modelservice_repo=${MODELSERVICE_REPO:-https://llm-d-incubation.github.io/llm-d-modelservice/}
infra_repo=${INFRA_REPO:-https://llm-d-incubation.github.io/llm-d-infra/}
gateway_api_repo=${GATEWAY_API_REPO:-oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool}
namespace=${LLMD_NAMESPACE:-llm-d}
# The charts' gateway is Istio's by default, and Istio reaches the endpoint picker by a DestinationRule.
api_versions=${API_VERSIONS-networking.istio.io/v1beta1/DestinationRule}
output=${OUTPUT_DIR:-$root/opt/manifests/llmd}
force=
render=yes

usage() {
  cat <<USAGE
usage: hack/fetch-helm-charts.sh [options]

  --modelservice VERSION        version of llm-d-modelservice  (MODELSERVICE_VERSION, $modelservice)
  --infra VERSION               version of llm-d-infra         (INFRA_VERSION, $infra)
  --gateway-api VERSION         version of inferencepool       (GATEWAY_API_VERSION, $gateway_api)
  --modelservice-repo URL       where it is had from           (MODELSERVICE_REPO)
  --infra-repo URL              "                              (INFRA_REPO)
  --gateway-api-repo URL        "                              (GATEWAY_API_REPO)
                                https:// and the base of a repository with an index.yaml, or oci:// and the path to the chart
  --namespace NAME              namespace of the objects       (LLMD_NAMESPACE, $namespace)
  --api-versions API,...        what the cluster serves, as in "llm-operator render" (API_VERSIONS, Istio's DestinationRule)
  --output DIR                  where everything goes          (OUTPUT_DIR, opt/manifests/llmd)
  --force                       fetch charts that are there already
  --charts-only                 do not render

Versions may have a leading v or not. HELM is the Helm 4 executable, LLM_OPERATOR the operator's; HELM_PULL_ARGS are more arguments for
'helm pull', such as --plain-http or --ca-file FILE. Credentials: 'helm registry login', or HELM_PULL_ARGS.
USAGE
}

say() { echo "$*" >&2; }
die() {
  say "fetch-helm-charts: $*"
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --force) force=yes; shift; continue ;;
    --charts-only) render=; shift; continue ;;
    --*=*) option=${1%%=*}; argument=${1#*=}; shift ;;
    --*)
      option=$1
      [ $# -gt 1 ] || die "$option needs a value (see --help)"
      argument=$2
      shift 2
      ;;
    *) die "unknown argument $1 (see --help)" ;;
  esac
  case $option in
    --modelservice) modelservice=$argument ;;
    --infra) infra=$argument ;;
    --gateway-api) gateway_api=$argument ;;
    --modelservice-repo) modelservice_repo=$argument ;;
    --infra-repo) infra_repo=$argument ;;
    --gateway-api-repo) gateway_api_repo=$argument ;;
    --api-versions) api_versions=$argument ;;
    --namespace) namespace=$argument ;;
    --output) output=$argument ;;
    *) die "unknown option $option (see --help)" ;;
  esac
done

# Without the v that some charts have and others lack.
modelservice=${modelservice#v}
infra=${infra#v}
gateway_api=${gateway_api#v}
for version in "$modelservice" "$infra" "$gateway_api"; do
  case $version in
    [0-9]*.[0-9]*.[0-9]*) ;;
    *) die "'$version' is no version such as 1.3.3" ;;
  esac
done

command -v "$helm" >/dev/null 2>&1 ||
  die "$helm is not there. Put the Helm 4 CLI on the PATH or name it by HELM; 'go install helm.sh/helm/v4/cmd/helm@latest' builds it."
helm_version=$("$helm" version --short 2>/dev/null) || die "'$helm version' does not work"
case $helm_version in
  v4.*) ;;
  *) die "$helm is Helm $helm_version, and Helm 4 is needed; name one by HELM" ;;
esac

scratch=$(mktemp -d "${TMPDIR:-/tmp}/llmd-charts.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$output/charts"
output=$(cd "$output" && pwd)

# pull REPOSITORY NAME VERSION: into $scratch/pulled, what Helm says into $scratch/said.
pull() {
  rm -rf "$scratch/pulled"
  mkdir "$scratch/pulled"
  # HELM_PULL_ARGS is a list of words.
  # shellcheck disable=SC2086
  case $1 in
    oci://*) "$helm" pull "$1" --version "$3" --destination "$scratch/pulled" ${HELM_PULL_ARGS:-} >"$scratch/said" 2>&1 ;;
    *) "$helm" pull "$2" --repo "$1" --version "$3" --destination "$scratch/pulled" ${HELM_PULL_ARGS:-} >"$scratch/said" 2>&1 ;;
  esac
}

# fetch NUMBER REPOSITORY NAME VERSION
fetch() {
  archive=$output/charts/$3-$4.tgz
  if [ -z "$force" ] && [ -s "$archive" ]; then
    say "[$1/3] $3 $4: is there already"
    return
  fi
  say "[$1/3] $3 $4: fetching from $2"
  # Tags are taken by the letter, and projects differ in the v.
  if ! pull "$2" "$3" "$4"; then
    first=$(cat "$scratch/said")
    pull "$2" "$3" "v$4" || die "$3 $4 cannot be fetched from $2:
$first
Correct the version or the repository (see --help), or put the chart into $output/charts as $3-$4.tgz by hand."
  fi
  set -- "$1" "$2" "$3" "$4" "$scratch"/pulled/*.tgz
  [ $# -eq 5 ] && [ -s "$5" ] || die "$3 $4: Helm has left no archive"
  "$helm" show chart "$5" >"$scratch/chart.yaml" 2>"$scratch/said" || die "$3 $4 is no chart: $(cat "$scratch/said")"
  name=$(sed -n 's/^name: *//p' "$scratch/chart.yaml" | tr -d "\"'")
  [ "$name" = "$3" ] || die "$2 has chart '$name' where '$3' is expected"
  # Whole or not at all, also when two run at once.
  mv "$5" "$archive.$$" && mv "$archive.$$" "$archive"
}

fetch 1 "$infra_repo" llm-d-infra "$infra"
fetch 2 "$gateway_api_repo" inferencepool "$gateway_api"
fetch 3 "$modelservice_repo" llm-d-modelservice "$modelservice"
[ -n "$render" ] || exit 0

if [ -n "${LLM_OPERATOR:-}" ]; then
  operator=$LLM_OPERATOR
  [ -x "$operator" ] || die "LLM_OPERATOR=$operator is no executable"
elif command -v cargo >/dev/null 2>&1; then
  say "building llm-operator"
  (cd "$root" && cargo build --quiet -p llm-operator) || die "llm-operator cannot be built; name one by LLM_OPERATOR, or use --charts-only"
  operator=${CARGO_TARGET_DIR:-$root/target}/debug/llm-operator
else
  operator=$(command -v llm-operator) || die "llm-operator is not there: name it by LLM_OPERATOR, install cargo, or use --charts-only"
fi

cat >"$scratch/llmd.yaml" <<LLMD
apiVersion: components.platform.opendatahub.io/v1alpha1
kind: Llmd
metadata: {name: default-llm-d}
spec:
  namespace: "$namespace"
  infra: {enabled: true, version: "$infra"}
  gatewayAPI: {enabled: true, version: "$gateway_api"}
  modelService: {enabled: true, version: "$modelservice"}
LLMD

say "rendering into $output"
set -- render -f "$scratch/llmd.yaml" --helm "$helm" --charts-dir "$output/charts"
[ -z "$api_versions" ] || set -- "$@" --api-versions "$api_versions"
"$operator" "$@" >"$scratch/objects.yaml" ||
  die "the charts cannot be rendered together; what was rendered before stays as it is"
[ -s "$scratch/objects.yaml" ] || die "nothing was rendered: no chart is enabled"

mkdir -p "$scratch/base" "$scratch/overlays/default"
mv "$scratch/objects.yaml" "$scratch/base/objects.yaml"
cat >"$scratch/base/namespace.yaml" <<NAMESPACE
apiVersion: v1
kind: Namespace
metadata:
  name: "$namespace"
  labels:
    app.kubernetes.io/part-of: llm-d
NAMESPACE
cat >"$scratch/base/kustomization.yaml" <<BASE
# Made by hack/fetch-helm-charts.sh; changes are lost. Make an overlay beside overlays/default instead.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - namespace.yaml
  - objects.yaml
BASE
cat >"$scratch/overlays/default/kustomization.yaml" <<OVERLAY
# Made by hack/fetch-helm-charts.sh; changes are lost. The namespace is chosen when rendering (--namespace): names and addresses depend on it.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
OVERLAY
mkdir -p "$output/base" "$output/overlays/default"
for file in base/objects.yaml base/namespace.yaml base/kustomization.yaml overlays/default/kustomization.yaml; do
  # What has not changed keeps its time.
  cmp -s "$scratch/$file" "$output/$file" || mv "$scratch/$file" "$output/$file"
done
say "done: $(grep -c '^kind: ' "$output/base/objects.yaml") objects; kubectl apply -k $output/overlays/default deploys them without an operator"
