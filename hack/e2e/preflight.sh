# Is there what the test needs? Says what to do when not, before anything is changed.
# shellcheck shell=bash

stop_here() { printf 'e2e: %s\n' "$*" >&2; exit 2; }

preflight() {
  local part
  for part in ${E2E_ONLY:-}; do
    [[ " ${PARTS[*]} " == *" $part "* ]] || stop_here "E2E_ONLY: there is no part $part; there are: ${PARTS[*]}"
  done
  command -v "$KUBECTL" >/dev/null || stop_here "kubectl is missing; install it, or name it with KUBECTL=/path/to/kubectl"
  find_helm
  if [ -z "${IMG:-}" ] || [ "$IMG" = llm-operator:v0.1.0 ]; then
    stop_here "IMG is not set. Build and push the operator where the cluster can pull it, then name it:
  make docker-build docker-push e2e IMG=registry.example.com/llm-operator:dev
(kind: make docker-build IMG=llm-operator:dev && kind load docker-image llm-operator:dev && make e2e IMG=llm-operator:dev)"
  fi
  k version >/dev/null 2>&1 || stop_here "no cluster answers; set KUBECONFIG to one that you may change (kubectl version says why)"
  k auth can-i '*' '*' --all-namespaces >/dev/null 2>&1 || stop_here "this needs an administrator of the cluster: it installs definitions and roles"
  prints True k get nodes -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}' >/dev/null ||
    stop_here "no node of the cluster is ready; see kubectl get nodes"
  prints 'is-default-class: "true"' k get storageclass -o yaml >/dev/null ||
    stop_here "the cluster has no default storage class; mark one: kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true"
  ls config/crd/*.yaml >/dev/null 2>&1 || stop_here "config/crd is empty; run 'make manifests'"
  # What it would remove at its end must not be somebody's.
  if [ -n "$(k get --ignore-not-found -o name crd/llmdeployments.llm.example.com crd/nvidiagpullms.infra.example.com \
    crd/modeldeployments.ai.example.com crd/llmds.components.platform.opendatahub.io \
    namespace/llm-system "${NAMESPACES[@]/#/namespace/}")" ]; then
    stop_here "this cluster has the operator (or the rest of an earlier run) already, and this test would remove it.
If nobody needs it: helm uninstall llm-operator -n llm-system (or: make undeploy); make uninstall; kubectl delete namespace --ignore-not-found llm-system ${NAMESPACES[*]}"
  fi
  image_values
  if [ -n "${E2E_BUILD:-}" ]; then
    command -v docker >/dev/null || stop_here "E2E_BUILD needs docker; leave it out and name an image that exists by IMG"
    make --no-print-directory docker-build docker-push IMG="$IMG"
  fi
  GPUS=$(k get nodes -o 'jsonpath={.items[*].status.allocatable.nvidia\.com/gpu}' | tr ' ' '\n' | awk '{sum += $1} END {print sum + 0}')
  say "cluster: $(k config current-context), $(k get nodes --no-headers | wc -l | tr -d ' ') node(s), $GPUS GPU(s); operator: $IMG"
}

# The Helm CLI: HELM, or helm on the PATH, or the one that the tests have built.
find_helm() {
  local built
  if ! command -v "$HELM" >/dev/null; then
    for built in "${XDG_CACHE_HOME:-$HOME/.cache}"/llm-operator/helm/v*/helm; do
      if [ -x "$built" ]; then HELM=$built; fi
    done
  fi
  "$HELM" version --short >/dev/null 2>&1 ||
    stop_here "the Helm CLI is missing; install version 4 (https://helm.sh), or name it with HELM=/path/to/helm"
}

# Is this part of hack/e2e.sh to run?
chosen() {
  case " ${E2E_ONLY:-${PARTS[*]}} " in
    *" $1 "*) true ;;
    *" by-name "* | *" llmd "*) [ "$1" = upgrade ] || needs_serving "$1" ;; # which brings the optional definitions
    *) needs_serving "$1" ;;
  esac
}
# The models of the part serving.
needs_serving() {
  case " ${E2E_ONLY:-} " in
    *" security "* | *" restarts "* | *" rollout "* | *" leadership "* | *" uninstall "*) [ "$1" = serving ] ;;
    *) false ;;
  esac
}
