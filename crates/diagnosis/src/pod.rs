//! Why one Pod does not serve.
//!
//! In: the Pod, what it needs of GPUs, the cluster around it. Out: one [`Finding`], or nothing when the Pod serves.
//! Must not: say anything that changes while nothing happens (elapsed times, back-off, the kubelet flipping between
//! "waiting" and "running").

mod crash;
mod image;
mod kubelet;
mod running;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{
    Finding, GpuNeed, Reason, Surroundings,
    facts::{
        ContainerFacts, ContainerRole, ContainerState, EventFacts, PodFacts, PodPhase, Scheduling,
        Termination,
    },
    redact, scheduling,
};

/// A Pod younger than this without a word from the scheduler is simply new. The scheduler decides within milliseconds
/// at rest; a thousand Pods at once take some seconds.
pub const SCHEDULER_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// One Pod in its surroundings.
struct Case<'a> {
    pod: &'a PodFacts,
    events: Vec<Arc<EventFacts>>,
}

/// Why this Pod does not serve; `None` when it does. `now` only tells a new Pod from one that the scheduler ignores.
pub fn explain(
    pod: &PodFacts,
    need: Option<&GpuNeed>,
    around: &dyn Surroundings,
    now: Option<Timestamp>,
) -> Option<Finding> {
    if pod.deleting {
        return Some(ending(pod, around));
    }
    if let Some(finding) = kubelet::given_up(pod) {
        // A Pod that is not restarted failed because of a container, unless its node says otherwise.
        let by_itself = pod.phase == PodPhase::Failed && pod.reason.is_none();
        let ended = || pod.containers.iter().find_map(ended_badly);
        return Some(match ended().filter(|_| by_itself) {
            Some((container, ending)) => {
                let case = Case {
                    pod,
                    events: around.events(&pod.uid),
                };
                crash::explain(&case, container, ending)
            }
            None => finding,
        });
    }
    if pod.ready {
        return None;
    }
    match &pod.scheduling {
        Scheduling::Refused { .. } => return Some(scheduling::explain(pod, need, around)),
        Scheduling::Undecided => return Some(undecided(pod, now)),
        Scheduling::Placed => {}
    }
    if let Some(finding) = lost(pod, around) {
        return Some(finding);
    }
    let case = Case {
        pod,
        events: around.events(&pod.uid),
    };
    Some(containers(&case))
}

/// Nobody ends a Pod on a node that does not answer.
fn ending(pod: &PodFacts, around: &dyn Surroundings) -> Finding {
    let ended = matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed);
    match pod
        .node
        .as_deref()
        .filter(|_| !ended && lost(pod, around).is_some())
    {
        Some(node) => Finding::new(
            Reason::NodeLost,
            format!(
                "Pod {} is to end, but its node {node} is not ready. Repair or remove the node; or, when the node is \
                 surely off, delete the Pod with --force.",
                pod.name
            ),
        ),
        None => Finding::new(Reason::Terminating, format!("Pod {} is ending.", pod.name)),
    }
}

fn ended_badly(container: &ContainerFacts) -> Option<(&ContainerFacts, &Termination)> {
    match &container.state {
        ContainerState::Terminated(ending) if ending.exit_code != 0 => Some((container, ending)),
        _ => None,
    }
}

fn undecided(pod: &PodFacts, now: Option<Timestamp>) -> Finding {
    let ignored = now
        .zip(pod.created)
        .is_some_and(|(now, created)| now.duration_since(created) >= SCHEDULER_PATIENCE);
    if ignored {
        Finding::new(
            Reason::WaitingForScheduler,
            format!(
                "Pod {} waits for the scheduler, which has said nothing about it. Check that kube-scheduler runs.",
                pod.name
            ),
        )
    } else {
        starting(pod)
    }
}

fn starting(pod: &PodFacts) -> Finding {
    Finding::new(Reason::Starting, format!("Pod {} is starting.", pod.name))
}

fn lost(pod: &PodFacts, around: &dyn Surroundings) -> Option<Finding> {
    let node = pod.node.as_deref()?;
    let silent = pod.phase == PodPhase::Unknown
        || pod.reason.as_deref() == Some("NodeLost")
        || around.node(node).is_some_and(|facts| !facts.ready);
    silent.then(|| {
        Finding::new(
            Reason::NodeLost,
            format!(
                "Pod {} is on node {node}, which is not ready. Repair or remove the node; the Pod is replaced after \
                 its unreachable toleration (5 minutes by default).",
                pod.name
            ),
        )
    })
}

/// Init containers run one after the other, so the first that has not ended is the cause; of the others the worst.
fn containers(case: &Case<'_>) -> Finding {
    let pod = case.pod;
    if let Some(finding) = kubelet::before_containers(case) {
        return finding;
    }
    for container in pod.containers.iter().filter(|c| c.role == ContainerRole::Init) {
        if let Some(finding) = one(case, container) {
            return finding;
        }
    }
    pod.containers
        .iter()
        .filter(|container| container.role != ContainerRole::Init)
        .filter_map(|container| one(case, container))
        .max_by(|a, b| a.reason.cmp(&b.reason).then_with(|| b.message.cmp(&a.message)))
        .unwrap_or_else(|| {
            let quiet = pod
                .containers
                .iter()
                .all(|container| container.state == ContainerState::Unreported);
            if quiet {
                return starting(pod);
            }
            let words = pod.message.as_deref().map_or_else(
                || {
                    format!(
                        "Kubernetes names no cause. See kubectl describe pod -n {} {}.",
                        pod.namespace, pod.name
                    )
                },
                redact::clean,
            );
            Finding::new(
                Reason::UnknownNotReady,
                format!("Pod {} is not ready: {words}", pod.name),
            )
        })
}

/// What keeps one container from doing its part; `None` when it does it.
fn one(case: &Case<'_>, container: &ContainerFacts) -> Option<Finding> {
    match &container.state {
        ContainerState::Unreported => None,
        ContainerState::Waiting { reason, message } => Some(waiting(case, container, reason, message)),
        ContainerState::Terminated(ending) => {
            let done = container.role == ContainerRole::Init && ending.exit_code == 0;
            (!done).then(|| crash::explain(case, container, ending))
        }
        ContainerState::Running => running::explain(case, container),
    }
}

fn waiting(case: &Case<'_>, container: &ContainerFacts, reason: &str, message: &str) -> Finding {
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ErrImageNeverPull"
        | "InvalidImageName"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => image::explain(case, container, reason, message),
        "CrashLoopBackOff" => match container.ending() {
            Some(ending) => crash::explain(case, container, ending),
            None => crash::without_ending(case, container),
        },
        "" | "ContainerCreating" | "PodInitializing" => match container.ending() {
            Some(ending) if container.restarts > 0 && !crash::harmless(container, ending) => {
                crash::explain(case, container, ending)
            }
            _ if case.pod.sandbox_ready && reason == "ContainerCreating" => Finding::new(
                Reason::PullingImage,
                format!("Pod {} pulls image {}.", case.pod.name, container.image),
            ),
            _ => starting(case.pod),
        },
        _ => kubelet::not_started(case, container, reason, message),
    }
}

impl Case<'_> {
    /// The latest event with this reason that `which` accepts; of equally late ones the first by words.
    fn latest(&self, reason: &str, which: impl Fn(&EventFacts) -> bool) -> Option<&EventFacts> {
        self.events
            .iter()
            .map(|event| &**event)
            .filter(|event| &*event.reason == reason && which(event))
            .max_by(|a, b| {
                a.last_seen
                    .cmp(&b.last_seen)
                    .then_with(|| b.message.cmp(&a.message))
            })
    }

    /// `container engine of Pod x`.
    fn subject(&self, container: &ContainerFacts) -> String {
        let kind = match container.role {
            ContainerRole::Init => "init container",
            ContainerRole::Sidecar | ContainerRole::Main => "container",
        };
        format!("{kind} {} of Pod {}", container.name, self.pod.name)
    }

    /// The event is about this container, or names none.
    fn about(event: &EventFacts, container: &ContainerFacts) -> bool {
        event
            .container
            .as_deref()
            .is_none_or(|name| name == &*container.name)
    }

    /// The command that shows what the run before this one said.
    fn previous_log(&self, container: &ContainerFacts) -> String {
        format!(
            "kubectl logs -n {} {} -c {} --previous",
            self.pod.namespace, self.pod.name, container.name
        )
    }
}

#[cfg(test)]
mod tests;
