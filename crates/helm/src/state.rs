//! The state that a release is in.
//!
//! In: what Helm has recorded, what is wanted, what has drifted. Out: [`State`], in Flux's words. It must not decide what to do about it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    Attempts, LocalChart, ReleaseSpec, Version,
    drift::Finding,
    release::{ReleaseHead, Status, hex, values_digest},
};

/// Release label that says what a revision was made from; see [`Wanted::mark`].
pub const DIGEST_LABEL: &str = "llm-operator.io/release-digest";

/// What a release should be made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `name` of the chart's `Chart.yaml`.
    pub chart: String,
    /// `version` of it.
    pub version: Version,
    /// [`values_digest`] over the values.
    pub values_digest: String,
    /// Over all that makes the release: the chart with its files, the values, the labels of its objects. 40 hexadecimal digits.
    pub digest: String,
}

impl Wanted {
    /// Of a chart with what it is given.
    pub fn new(chart: &LocalChart, spec: &ReleaseSpec) -> Self {
        let values_digest = values_digest(&spec.values);
        let mut hash = Sha256::new();
        let labels = spec.object_labels.iter().flat_map(|(key, value)| [key, value]);
        for text in [&chart.name, &chart.version, &chart.digest, &values_digest]
            .into_iter()
            .chain(labels)
        {
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        }
        let mut digest = hex(&hash.finalize());
        digest.truncate(40);
        Self {
            chart: chart.name.clone(),
            version: Version::new(&chart.version),
            values_digest,
            digest,
        }
    }

    /// Puts the digest on the release's labels, by which a chart is noticed that was published anew under the same version. To be done
    /// with every `spec` that is installed or upgraded to.
    pub fn mark(&self, spec: &mut ReleaseSpec) {
        spec.release_labels
            .insert(DIGEST_LABEL.to_owned(), self.digest.clone());
    }
}

/// All that a release is judged by.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its revisions, in any order, none older than the end of our last operation: after one has ended, list anew.
    pub history: &'a [&'a ReleaseHead],
    /// What it should be; none when it should not be.
    pub wanted: Option<&'a Wanted>,
    /// Release labels by which a release is ours.
    pub ours: &'a BTreeMap<String, String>,
    /// What of the deployed revision's objects is not as it was made, confirmed.
    pub drift: &'a [Finding],
    /// Whether an operation of ours runs right now.
    pub running: bool,
}

/// State of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Absent,
    /// There is one of this name that is somebody else's.
    Unmanaged {
        /// Its last revision.
        revision: u32,
    },
    /// An operation of ours runs.
    Running,
    /// A revision is pending and no operation of ours runs.
    Locked {
        /// The revision that is pending.
        revision: u32,
        /// As which.
        status: Status,
        /// When it was begun.
        since: Option<Timestamp>,
        /// Whether the Helm that began it is known to be gone: it was ours, or another revision was made after it.
        gone: bool,
    },
    /// Its uninstallation was begun and not ended.
    Uninstalling {
        /// Its last revision.
        revision: u32,
    },
    /// It was uninstalled, and its history kept, which holds the name.
    Uninstalled {
        /// Its last revision.
        revision: u32,
    },
    /// It is there and should not be.
    Unwanted {
        /// Its last revision.
        revision: u32,
    },
    /// Its last revision failed.
    Failed {
        /// The revision that failed.
        revision: u32,
        /// The latest one before it that was in the cluster as a whole: what to go back to. None after a failed installation.
        good: Option<u32>,
        /// What Helm recorded: its own error, or that a lock was taken off. [`Attempts::message`] keeps the chart's over that.
        message: String,
    },
    /// It is not what it should be.
    OutOfSync {
        /// Its last revision.
        revision: u32,
        /// In what.
        why: Mismatch,
    },
    /// It is what it should be, but its objects are not.
    Drifted {
        /// Its last revision.
        revision: u32,
        /// What is not.
        findings: Vec<Finding>,
    },
    /// It is what it should be.
    InSync {
        /// Its last revision.
        revision: u32,
    },
}

/// In what a release is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is another chart.
    Chart,
    /// It is another version of the chart.
    Version,
    /// It has other values.
    Values,
    /// The chart's files have changed under the same version, or the labels of its objects.
    Content,
    /// No revision is deployed: the last ones are gone.
    NotDeployed,
}

/// The state.
pub fn determine(view: &View<'_>, attempts: &Attempts) -> State {
    let history = sorted(view.history);
    let Some(last) = history.last() else {
        return if view.running {
            State::Running
        } else {
            State::Absent
        };
    };
    let revision = last.revision;
    if !last.is_ours(view.ours) {
        return State::Unmanaged { revision };
    }
    if view.running {
        return State::Running;
    }
    if let Some(stuck) = history.iter().rev().find(|head| head.status.is_pending()) {
        return State::Locked {
            revision: stuck.revision,
            status: stuck.status,
            since: stuck.last_deployed,
            gone: stuck.revision < revision || attempts.began(stuck),
        };
    }
    let Some(wanted) = view.wanted else {
        return State::Unwanted { revision };
    };
    match last.status {
        Status::Uninstalling => State::Uninstalling { revision },
        Status::Uninstalled => State::Uninstalled { revision },
        Status::Deployed => deployed(last, wanted, view.drift, attempts),
        Status::Superseded => State::OutOfSync {
            revision,
            why: Mismatch::NotDeployed,
        },
        _ => State::Failed {
            revision,
            good: good(&history, view.ours),
            message: last.description.clone(),
        },
    }
}

fn deployed(last: &ReleaseHead, wanted: &Wanted, drift: &[Finding], attempts: &Attempts) -> State {
    let revision = last.revision;
    if let Some(why) = mismatch(last, wanted, attempts) {
        return State::OutOfSync { revision, why };
    }
    if drift.is_empty() {
        return State::InSync { revision };
    }
    State::Drifted {
        revision,
        findings: drift.to_vec(),
    }
}

fn mismatch(last: &ReleaseHead, wanted: &Wanted, attempts: &Attempts) -> Option<Mismatch> {
    if last.chart != wanted.chart {
        return Some(Mismatch::Chart);
    }
    if last.version != wanted.version {
        return Some(Mismatch::Version);
    }
    // What was made from this and has succeeded is in sync, even if Helm recorded the values in a way that looks different to us: else
    // it would be upgraded over and over.
    if attempts.made(last, &wanted.digest) {
        return None;
    }
    if last.values_digest != wanted.values_digest {
        return Some(Mismatch::Values);
    }
    // A release that was handed over to us has no digest, and need not be touched for that.
    let digest = last.labels.get(DIGEST_LABEL)?;
    (*digest != wanted.digest).then_some(Mismatch::Content)
}

/// The deployed revision, else the latest that was; Helm takes the latest when several say deployed. Going back to one without our
/// labels would give the release away.
fn good(history: &[&ReleaseHead], ours: &BTreeMap<String, String>) -> Option<u32> {
    let candidates = || {
        history
            .iter()
            .rev()
            .filter(|head| head.was_good() && head.is_ours(ours))
    };
    candidates()
        .find(|head| head.status == Status::Deployed)
        .or_else(|| candidates().next())
        .map(|head| head.revision)
}

/// The oldest first.
pub(crate) fn sorted<'a>(history: &[&'a ReleaseHead]) -> Vec<&'a ReleaseHead> {
    let mut history = history.to_vec();
    history.sort_by_key(|head| head.revision);
    history
}

#[cfg(test)]
mod tests;
