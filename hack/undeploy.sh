#!/usr/bin/env bash
# Removes the operator; resources and what serves them stay. Before anything is removed, a Job in the operator's own image lets go
# of what would wait for an operator (`llm-operator release`), as the chart's does. Where that fails, nothing is removed.
#
#   KUBECTL=kubectl hack/undeploy.sh             # in the image of the Deployment
#   IMG=registry/llm-operator:tag hack/undeploy.sh
#   SKIP_RELEASE=1 hack/undeploy.sh              # without the Job: what it does is done
set -euo pipefail
cd "$(dirname "$0")/.."
KUBECTL=${KUBECTL:-kubectl}
SYSTEM=llm-system
JOB=llm-operator-uninstall
PODS=app.kubernetes.io/component=uninstall,app.kubernetes.io/part-of=llm-operator

say() { echo "undeploy: $*" >&2; }

main() {
  if [ -n "${SKIP_RELEASE:-}" ]; then
    say "SKIP_RELEASE is set: finalizers and the API of external metrics stay as they are"
  else
    local image
    image=$(image)
    if [ -n "$image" ]; then release "$image"; else
      say "there is no Deployment $SYSTEM/llm-operator. Should resources still wait for it, say make undeploy IMG=registry/llm-operator:tag"
    fi
  fi
  "$KUBECTL" delete --ignore-not-found --cascade=foreground -f config/manager/manager.yaml \
    -f config/manager/pod_disruption_budget.yaml -f config/manager/external_metrics_service.yaml
  "$KUBECTL" delete --ignore-not-found -k config/rbac
}

# The image to let go in; none where there is nobody to let go for.
image() {
  [ -n "$("$KUBECTL" get namespace "$SYSTEM" --ignore-not-found -o name)" ] || return 0
  if [ -n "${IMG:-}" ]; then echo "$IMG"; else of_operator 'containers[0].image'; fi
}

# A field of the operator's Pods, as JSON where it is no word.
of_operator() {
  "$KUBECTL" get deployment llm-operator -n "$SYSTEM" --ignore-not-found -o jsonpath="{.spec.template.spec.$1}"
}

release() {
  local field value pod="\"containers\":[{\"name\":\"release\",\"image\":\"$1\"}]"
  # The Job's Pod goes where the operator's may, and is pulled as they are.
  for field in imagePullSecrets nodeSelector affinity tolerations; do
    value=$(of_operator "$field")
    [ -z "$value" ] || pod+=",\"$field\":$value"
  done
  say "Job $SYSTEM/$JOB lets go of what would wait for the operator, in image $1"
  trap clean_up EXIT
  clean_up
  "$KUBECTL" apply -f config/uninstall/rights.yaml >/dev/null
  "$KUBECTL" patch --local -f config/uninstall/job.yaml -o yaml -p "{\"spec\":{\"template\":{\"spec\":{$pod}}}}" |
    "$KUBECTL" apply -f - >/dev/null
  wait_for_job "$1"
  "$KUBECTL" logs -n "$SYSTEM" "job/$JOB"
  clean_up
  trap - EXIT
}

# The Job and its rights, also those of a run that was interrupted.
clean_up() {
  "$KUBECTL" delete --ignore-not-found --cascade=foreground -f config/uninstall/job.yaml >/dev/null
  "$KUBECTL" delete --ignore-not-found -f config/uninstall/rights.yaml >/dev/null
}

# Until the Job has ended; tells what its Pods do whenever that changes. The Job itself ends after four minutes.
wait_for_job() {
  local ended pods second told=''
  for ((second = 0; second < 300; second++)); do
    ended=" $("$KUBECTL" get job "$JOB" -n "$SYSTEM" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}') "
    [[ $ended != *" Complete "* ]] || return 0
    pods=$(pods)
    [ "$pods" = "$told" ] || echo "${pods:-no Pod yet}" >&2
    told=$pods
    # Kubernetes would go on trying; whoever has mended it says `make undeploy` again.
    [[ $ended != *" Failed "* && $pods != *ImagePullBackOff* && $pods != *ErrImageNeverPull* && $pods != *InvalidImageName* ]] || break
    sleep 1
  done
  give_up "$1"
}

# Each Pod with what it does, or what it waits for.
pods() {
  local waits='{.status.conditions[?(@.reason=="Unschedulable")].message}{.status.containerStatuses[0].state.waiting.reason}'
  "$KUBECTL" get pods -n "$SYSTEM" -l "$PODS" \
    -o "jsonpath={range .items[*]}  Pod {.metadata.name}: {.status.phase} $waits{'\n'}{end}"
}

give_up() {
  {
    echo "Warnings:"
    "$KUBECTL" get events -n "$SYSTEM" --field-selector=type=Warning -o 'jsonpath={range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}' | grep "^$JOB" || true
    echo "Log:"
    "$KUBECTL" logs -n "$SYSTEM" -l "$PODS" --tail=20 --prefix || true
  } >&2
  say "nothing is removed, since the Job has not let go of what would wait for the operator; why, stands above.
  If the image $1 cannot be pulled: name one that can, make undeploy IMG=registry/llm-operator:tag
  If the Job cannot run at all: let go from this machine, and go on without it:
      cargo run -p llm-operator -- release --namespace $SYSTEM && make undeploy SKIP_RELEASE=1
  If the operator is to stay: make deploy IMG=registry/llm-operator:tag brings it back"
  exit 1
}

main
