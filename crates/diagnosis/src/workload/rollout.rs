//! Which version is the current one, and is it everywhere.
//!
//! In: the workload's counts and words, the Pods' template hashes. Out: an ongoing rollout, if any. Must not: look at
//! causes.

use super::Input;
use crate::facts::{PodFacts, PodPhase, WorkloadFacts};

/// A rollout that is not complete.
pub struct Rollout {
    /// Template hash of the version asked for, once its first Pod or `ReplicaSet` is known.
    pub hash: Option<Box<str>>,
    /// Pods of that version that serve.
    pub updated: i32,
}

/// The rollout that is under way, when not all desired replicas are of the version asked for.
pub fn ongoing(input: &Input<'_>, desired: i32) -> Option<Rollout> {
    let workload = input.workload?;
    let hash = current_hash(input);
    let current = |pod: &&PodFacts| hash.is_none() || pod.template_hash == hash;
    let updated = live(input).filter(current).filter(|pod| pod.serves()).count();
    let updated = i32::try_from(updated).unwrap_or(i32::MAX);
    if !workload.observed() {
        // The hash known so far may be that of the version before; no Pod can be called updated yet.
        return Some(Rollout {
            hash: None,
            updated: 0,
        });
    }
    let old = live(input).any(|pod| !current(&pod));
    // The controller's own count lags behind its Pods, but never runs ahead of its spec.
    let complete = updated >= desired && !old && workload.updated.max(updated) >= desired;
    (!complete).then_some(Rollout { hash, updated })
}

/// The template hash of the version asked for.
///
/// A StatefulSet names it. A Deployment does not carry it. When its counts say that all its Pods are of that version, it is theirs;
/// else its `Progressing` condition names the `ReplicaSet` (`ReplicaSet "chat-7c9f" is progressing.`), whose name ends with it.
/// Without that condition (no progress deadline) the newest Pod's is taken.
///
/// The counts come first, since the condition may name a version before: Kubernetes leaves it as it is when an earlier template
/// comes back while nothing has to be rolled out, as at zero replicas (`syncRolloutStatus` in `pkg/controller/deployment/progress.go`).
pub fn current_hash(input: &Input<'_>) -> Option<Box<str>> {
    let told = input.workload.and_then(|workload| {
        let named = || common_hash(input, workload).or_else(|| named_hash(workload));
        workload.revision.clone().or_else(named)
    });
    told.or_else(|| {
        live(input)
            .filter(|pod| pod.template_hash.is_some())
            .max_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)))
            .and_then(|pod| pod.template_hash.clone())
    })
}

/// The hash of all Pods, when the controller counts them all as of the version asked for.
fn common_hash(input: &Input<'_>, workload: &WorkloadFacts) -> Option<Box<str>> {
    if !workload.observed() || workload.total == 0 || workload.updated < workload.total {
        return None;
    }
    let mut hashes = live(input).map(|pod| &pod.template_hash);
    let first = hashes.next()?;
    hashes.all(|hash| hash == first).then(|| first.clone())?
}

fn named_hash(workload: &WorkloadFacts) -> Option<Box<str>> {
    let message = &workload.progressing.as_ref()?.message;
    let (before, rest) = message.split_once('"')?;
    let before = before.to_ascii_lowercase();
    if !before.ends_with("replicaset ") && !before.ends_with("replica set ") {
        return None;
    }
    let (name, _) = rest.split_once('"')?;
    let hash = name.strip_prefix(&*workload.name)?.strip_prefix('-')?;
    (!hash.is_empty()).then(|| hash.into())
}

/// Pods that are neither ended nor on their way out.
pub fn live<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a PodFacts> {
    input
        .pods
        .iter()
        .map(|pod| &**pod)
        .filter(|pod| !pod.deleting && !matches!(pod.phase, PodPhase::Failed | PodPhase::Succeeded))
}
