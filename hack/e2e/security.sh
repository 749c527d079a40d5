# Who the containers run as and what they may do, asked of the kernel and of the file system, not of the manifest.
# shellcheck shell=bash

check_security() {
  step "users, files and rights"
  local name pod
  for name in qwen-7b tinyllama; do
    pod=$(pod_of "$NS_STRICT" "$name")
    check "$name runs as uid 1000" equals 1000 inside "$NS_STRICT" "$pod" id -u
    check "$name: its volume belongs to group 1000" equals 1000 inside "$NS_STRICT" "$pod" stat -c %g /models
    check "$name can write to its volume" inside "$NS_STRICT" "$pod" sh -c 'echo x >/models/.e2e && rm /models/.e2e'
    check "$name: HOME is on the volume" equals /models inside "$NS_STRICT" "$pod" sh -c 'echo "$HOME"'
    check "$name has no capabilities" equals 0000000000000000 kernel_says "$NS_STRICT" "$pod" CapEff
    check "$name's claim is bound" equals Bound field "$NS_STRICT" "pvc/$name" '{.status.phase}'
    check_sandbox "$NS_STRICT" "$name" "$pod"
  done
  check_sandbox "$NS" chat-service "$(pod_of "$NS" chat-service)"
  check "chat-service has a disruption budget" k get -n "$NS" poddisruptionbudget/chat-service
  check "the operator runs as uid 65532, without any right to write files" equals "65532 true" \
    field llm-system deployment/llm-operator '{.spec.template.spec.securityContext.runAsUser} {.spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem}'
}

# What every model Pod must have.
check_sandbox() { # NAMESPACE NAME POD
  check "$2 has no service account token" inside "$1" "$3" sh -c '! ls /var/run/secrets/kubernetes.io/serviceaccount'
  check "$2 is under a seccomp filter" equals 2 kernel_says "$1" "$3" Seccomp
  check "$2 cannot gain privileges" equals 1 kernel_says "$1" "$3" NoNewPrivs
  check "$2 is behind a NetworkPolicy" equals '["Ingress","Egress"]' field "$1" "networkpolicy/$2" '{.spec.policyTypes}'
}

kernel_says() { # NAMESPACE POD FIELD: of the engine's own process
  inside "$1" "$2" cat /proc/1/status | awk -v field="$3:" '$1 == field {print $2}'
}
