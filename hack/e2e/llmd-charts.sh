# Charts that the cluster can reach: those of the tests, shaped like llm-d's, as a repository behind a Pod.
# shellcheck shell=bash

STAND_IN=llm-operator.io/e2e=stand-in    # definitions that this test has made
LLMD_VERSIONS="llm-d-infra:1.3.3 llm-d-infra:1.3.4 inferencepool:1.0.1 llm-d-modelservice:0.2.11"

# The repository at http://e2e-charts.$NS:8080.
serve_charts() {
  local folder chart code=0
  folder=$(mktemp -d)
  for chart in $LLMD_VERSIONS; do
    "$HELM" package --version "${chart#*:}" --app-version "${chart#*:}" -d "$folder" "crates/testkit/charts/${chart%:*}" || code=1
  done
  "$HELM" repo index --url "http://e2e-charts.$NS:8080" "$folder" &&
    k create configmap e2e-charts -n "$NS" --from-file="$folder" &&
    with_images <hack/e2e/charts.yaml | k apply -n "$NS" -f - &&
    k wait -n "$NS" --for=condition=Ready --timeout="${TIMEOUT}s" pod/e2e-charts || code=1
  rm -rf "$folder"
  return "$code"
}

# Kinds of other projects that the charts use: without their controllers, and only those that the cluster does not know.
foreign_kinds() {
  sed -n 's/^  name: \(.*\..*\)$/\1/p' config/e2e/llmd/definitions.yaml
}
missing_kinds() {
  local name
  for name in $(foreign_kinds); do
    k get crd "$name" >/dev/null 2>&1 || echo "$name"
  done
}
define_missing_kinds() {
  local name
  for name in $(missing_kinds); do
    awk -v name="  name: $name" 'BEGIN {RS = ORS = "---\n"} index($0, name "\n")' config/e2e/llmd/definitions.yaml | k create -f - || return
    k wait --for=condition=Established --timeout=30s "crd/$name" || return
    k label crd "$name" "$STAND_IN" || return
  done
}
