//! Why a workload serves or does not: its Pods and its controller's words in one sentence.
//!
//! In: the Deployment and its Pods as facts. Out: the `Ready` condition, the `Progressing` condition, one word of state
//! and two numbers.
//! Must not: call a replica ready that its Pod does not call ready. Readiness is counted on Pods, which is earlier and
//! truer than the controller's counts; these only tell whether a rollout is complete.
//!
//! `Ready` is true while all desired replicas serve, of whatever version: a bad new version that never comes up takes
//! nothing away from users, since no old Pod ends before its successor is ready. That the new version is stuck is told
//! by `Progressing` being false with the cause, by the state word, and in the `Ready` message.

mod pods;
mod rollout;

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    Finding, GpuNeed, Reason, State, Surroundings,
    facts::{PodFacts, WorkloadFacts},
};

/// What is known of one workload.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The object that makes the Pods; `None` before it exists.
    pub workload: Option<&'a WorkloadFacts>,
    /// Replicas asked for, used before the object exists.
    pub desired: i32,
    /// The workload is one Pod by itself: no sentence counts replicas.
    pub single: bool,
    /// The Pods of this workload, of any version, in any order.
    pub pods: &'a [Arc<PodFacts>],
    /// GPUs that one replica asks for.
    pub need: Option<&'a GpuNeed>,
    /// The cluster around it; asked only when a Pod is in trouble.
    pub around: &'a dyn Surroundings,
    /// The time now, if `WaitingForScheduler` is to be told from `Starting`.
    pub now: Option<Timestamp>,
}

/// One workload explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Status of condition `Ready`: all desired replicas serve, and at least one is desired.
    pub serves: bool,
    /// Reason of condition `Ready`.
    pub reason: Reason,
    /// Message of condition `Ready`.
    pub message: String,
    /// The word in `kubectl get`.
    pub state: State,
    /// Pods that serve, of any version.
    pub ready: i32,
    /// Replicas asked for.
    pub desired: i32,
    /// Condition `Progressing`.
    pub progress: Progress,
}

/// Whether the version asked for is there or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Status of condition `Progressing`: false when nothing will change until somebody acts.
    pub advancing: bool,
    /// Its reason.
    pub reason: Reason,
    /// Its message.
    pub message: String,
}

/// Explains a workload.
pub fn explain(input: &Input<'_>) -> Explanation {
    let desired = input.workload.map_or(input.desired, |workload| workload.desired);
    let ready = input.pods.iter().filter(|pod| pod.serves()).count();
    let ready = i32::try_from(ready).unwrap_or(i32::MAX);
    let finding = if input.workload.is_some_and(|workload| workload.deleting) {
        Finding::new(Reason::Terminating, "The workload is being deleted.")
    } else if desired <= 0 {
        stopped(ready)
    } else if ready >= desired {
        return serving(input, ready, desired);
    } else {
        missing(input, ready, desired)
    };
    let progress = Progress {
        advancing: finding.reason.state() != State::Blocked,
        reason: finding.reason,
        message: finding.message.clone(),
    };
    Explanation {
        serves: false,
        reason: finding.reason,
        message: finding.message,
        state: finding.reason.state(),
        ready,
        desired,
        progress,
    }
}

fn stopped(ready: i32) -> Finding {
    let words = if ready == 0 {
        "No replicas are asked for. Scale up to serve."
    } else {
        "No replicas are asked for; the last Pods are ending."
    };
    Finding::new(Reason::ScaledToZero, words)
}

/// Enough Pods serve; the question left is whether they are of the version asked for.
fn serving(input: &Input<'_>, ready: i32, desired: i32) -> Explanation {
    let explanation = |reason: Reason, message: String, state: State, progress: Progress| Explanation {
        serves: true,
        reason,
        message,
        state,
        ready,
        desired,
        progress,
    };
    let serve = if input.single {
        "The Pod serves".to_owned()
    } else {
        format!("{} of {desired} replicas serve", ready.min(desired))
    };
    let Some(rollout) = rollout::ongoing(input, desired) else {
        let finding = Finding::new(Reason::AllReplicasReady, format!("{serve}."));
        let progress = Progress {
            advancing: true,
            reason: finding.reason,
            message: finding.message.clone(),
        };
        return explanation(finding.reason, finding.message, State::Ready, progress);
    };
    let stuck = pods::worst(input, rollout.hash.as_deref(), true)
        .filter(|finding| finding.reason.state() == State::Blocked);
    let updated = rollout.updated.clamp(0, desired);
    if let Some(cause) = stuck {
        let words = format!(
            "{serve}, but the new version does not come up ({updated} of {desired} updated): {}",
            cause.message
        );
        let finding = Finding::new(Reason::RollingOut, words);
        let progress = Progress {
            advancing: false,
            reason: cause.reason,
            message: cause.message,
        };
        return explanation(finding.reason, finding.message, State::Blocked, progress);
    }
    let words = format!("{serve}; {updated} of {desired} run the new version.");
    let finding = Finding::new(Reason::RollingOut, words);
    let progress = Progress {
        advancing: true,
        reason: finding.reason,
        message: finding.message.clone(),
    };
    explanation(finding.reason, finding.message, State::Progressing, progress)
}

/// Fewer Pods serve than are asked for.
fn missing(input: &Input<'_>, ready: i32, desired: i32) -> Finding {
    let head = if input.single {
        String::new()
    } else {
        format!("{ready} of {desired} replicas serve: ")
    };
    let hash = rollout::current_hash(input);
    let cause = pods::worst(input, hash.as_deref(), false).unwrap_or_else(|| {
        let paused = input.workload.is_some_and(|workload| workload.paused);
        let words = if input.single {
            "The Pod is being created."
        } else if paused {
            "the rollout is paused. Resume it to have Pods made."
        } else {
            "Pods are being created."
        };
        Finding::new(Reason::Starting, words)
    });
    Finding::new(cause.reason, format!("{head}{}", cause.message))
}

#[cfg(test)]
mod tests;
