# Is there what the test needs? Says what to do when not, before anything is changed.
# shellcheck shell=bash

stop_here() { printf 'e2e: %s\n' "$*" >&2; exit 2; }

preflight() {
  local part
  for part in ${E2E_ONLY:-}; do
    [[ " ${PARTS[*]} " == *" $part "* ]] || stop_here "E2E_ONLY: there is no part $part; there are: ${PARTS[*]}"
  done
  command -v "$KUBECTL" >/dev/null || stop_here "kubectl is missing; install it, or name it with KUBECTL=/path/to/kubectl"
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
    crd/modeldeployments.ai.example.com \
    namespace/llm-system "${NAMESPACES[@]/#/namespace/}")" ]; then
    stop_here "this cluster has the operator (or the rest of an earlier run) already, and this test would remove it.
If nobody needs it: make undeploy uninstall; kubectl delete namespace --ignore-not-found llm-system ${NAMESPACES[*]}"
  fi
  if [ -n "${E2E_BUILD:-}" ]; then
    command -v docker >/dev/null || stop_here "E2E_BUILD needs docker; leave it out and name an image that exists by IMG"
    make --no-print-directory docker-build docker-push IMG="$IMG"
  fi
  GPUS=$(k get nodes -o 'jsonpath={.items[*].status.allocatable.nvidia\.com/gpu}' | tr ' ' '\n' | awk '{sum += $1} END {print sum + 0}')
  say "cluster: $(k config current-context), $(k get nodes --no-headers | wc -l | tr -d ' ') node(s), $GPUS GPU(s); operator: $IMG"
}

# Is this part of hack/e2e.sh to run?
chosen() {
  case " ${E2E_ONLY:-${PARTS[*]}} " in
    *" $1 "*) true ;;
    *" security "* | *" restarts "* | *" rollout "* | *" leadership "* | *" uninstall "*) [ "$1" = serving ] ;; # need its models
    *) false ;;
  esac
}
