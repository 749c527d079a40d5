//! The worst of many Pods first, the others counted.
//!
//! In: the Pods of a workload and its controller's refusal. Out: one finding. Must not: depend on the order of Pods.

use std::collections::BTreeMap;

use super::{Input, rollout::live};
use crate::{Finding, Reason, facts::PodFacts, finding::pods as count, pod, refusal};

/// The worst finding. Pods of the version `hash` come first; others only when those are in order, and never with
/// `only_current`.
pub fn worst(input: &Input<'_>, hash: Option<&str>, only_current: bool) -> Option<Finding> {
    let current = |pod: &&PodFacts| hash.is_none() || pod.template_hash.as_deref() == hash;
    let mut findings = explained(input, live(input).filter(current));
    if let Some(finding) = refused(input, live(input).filter(current).count()) {
        findings.push(finding);
    }
    if findings.is_empty() && !only_current {
        findings = explained(input, live(input).filter(|pod| !current(pod)));
    }
    if findings.is_empty() && !only_current && live(input).next().is_none() {
        // Failed Pods are replaced and stay as a record; ending ones are replaced too. They matter when nothing else is.
        findings = explained(input, input.pods.iter().map(|pod| &**pod));
    }
    told(findings)
}

fn explained<'a>(input: &Input<'_>, pods: impl Iterator<Item = &'a PodFacts>) -> Vec<Finding> {
    pods.filter_map(|pod| pod::explain(pod, input.need, input.around, input.now))
        .collect()
}

/// The API server's refusal counts as long as Pods are missing.
fn refused(input: &Input<'_>, existing: usize) -> Option<Finding> {
    let workload = input.workload?;
    let failure = workload
        .replica_failure
        .as_ref()
        .filter(|failure| failure.holds)?;
    let enough = usize::try_from(workload.desired).is_ok_and(|desired| existing >= desired);
    (!enough).then(|| refusal::explain(&failure.message))
}

fn told(mut findings: Vec<Finding>) -> Option<Finding> {
    findings.sort_by(|a, b| b.reason.cmp(&a.reason).then_with(|| a.message.cmp(&b.message)));
    let mut findings = findings.into_iter();
    let worst = findings.next()?;
    let mut others: BTreeMap<std::cmp::Reverse<Reason>, usize> = BTreeMap::new();
    for other in findings {
        *others.entry(std::cmp::Reverse(other.reason)).or_default() += 1;
    }
    if others.is_empty() {
        return Some(worst);
    }
    let others: Vec<String> = others
        .into_iter()
        .map(|(reason, number)| {
            if reason.0 == worst.reason {
                format!("{} likewise", count(number))
            } else {
                format!("{} {}", count(number), reason.0)
            }
        })
        .collect();
    // The first sentence may be cut to make room, never the counts.
    let tail = format!(" And {}.", others.join(", "));
    let room = crate::MESSAGE_LIMIT.saturating_sub(tail.chars().count() + 200);
    let message = format!("{}{tail}", crate::redact::shorten(&worst.message, room));
    Some(Finding::new(worst.reason, message))
}
