//! From a state to the next step. The rules are Flux's, but that the last failure is also remedied.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::attempts::{Action, Attempts, after};
use crate::{State, manifest::ObjectId};

/// How long a lock is respected that may be held by somebody else's Helm: Helm's own default time limit.
const FOREIGN_LOCK: SignedDuration = SignedDuration::from_mins(5);

/// What to do about failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remediation {
    /// How often a failed installation or upgrade is tried again. 3 by default.
    pub retries: u32,
    /// After a failed installation.
    pub install: InstallRemedy,
    /// After a failed upgrade.
    pub upgrade: UpgradeRemedy,
}

impl Default for Remediation {
    fn default() -> Self {
        Self {
            retries: 3,
            install: InstallRemedy::Uninstall,
            upgrade: UpgradeRemedy::Rollback,
        }
    }
}

/// What to do after a failed installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallRemedy {
    /// Remove what it has left; the next attempt installs.
    Uninstall,
    /// Leave it; the next attempt upgrades.
    Keep,
}

/// What to do after a failed upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeRemedy {
    /// Back to the last good revision.
    Rollback,
    /// Remove the release; the next attempt installs.
    Uninstall,
    /// Leave it; the next attempt upgrades.
    Keep,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the first revision.
    Install,
    /// Make a new revision.
    Upgrade {
        /// The last one.
        from: u32,
    },
    /// Apply these objects as the manifest has them.
    CorrectDrift {
        /// The objects.
        objects: Vec<ObjectId>,
    },
    /// Make a new revision like an old one.
    Rollback {
        /// The old one.
        to: u32,
    },
    /// Remove the release, its objects, its history, and the hooks' objects.
    Uninstall,
    /// Take the lock off this revision ([`StoredRelease::unlock`](crate::release::StoredRelease::unlock)).
    Unlock {
        /// The revision.
        revision: u32,
    },
    /// Look again at this time: there is something to do, but not yet.
    Wait {
        /// The time.
        until: Timestamp,
    },
    /// All is as it should be, or it is not ours to change.
    Nothing,
    /// No attempt is left. A new request starts anew.
    Stalled {
        /// Why the last attempt failed.
        reason: String,
    },
}

impl Step {
    /// The operation that it is, if one.
    pub const fn action(&self) -> Option<Action> {
        match self {
            Self::Install => Some(Action::Install),
            Self::Upgrade { .. } => Some(Action::Upgrade),
            Self::CorrectDrift { .. } => Some(Action::CorrectDrift),
            Self::Rollback { .. } => Some(Action::Rollback),
            Self::Uninstall => Some(Action::Uninstall),
            Self::Unlock { .. } => Some(Action::Unlock),
            Self::Wait { .. } | Self::Nothing | Self::Stalled { .. } => None,
        }
    }

    /// Whether it changes the cluster.
    pub const fn is_operation(&self) -> bool {
        self.action().is_some()
    }
}

/// The next step.
pub fn decide(state: &State, attempts: &Attempts, remediation: Remediation, now: Timestamp) -> Step {
    let attempt = |step| not_before(attempts.pause_until(), now, step);
    let remedy = |step| not_before(attempts.remedy_pause_until(), now, step);
    let exhausted =
        || (attempts.hopeless || attempts.failures > remediation.retries).then(|| stalled(attempts));
    match state {
        State::InSync { .. } | State::Unmanaged { .. } | State::Running => Step::Nothing,
        State::Absent if attempts.digest.is_empty() => Step::Nothing,
        State::Absent => exhausted().unwrap_or_else(|| attempt(Step::Install)),
        State::Locked {
            gone: true, revision, ..
        } => Step::Unlock { revision: *revision },
        State::Locked { revision, since, .. } => {
            // A time that lies far ahead is none: it must not hold the lock for ever.
            let since = since.filter(|since| *since < after(now, FOREIGN_LOCK));
            let until = since.map(|since| after(since, FOREIGN_LOCK));
            not_before(until, now, Step::Unlock { revision: *revision })
        }
        State::Unwanted { .. } | State::Uninstalling { .. } | State::Uninstalled { .. } => {
            remedy(Step::Uninstall)
        }
        State::OutOfSync { revision, .. } => {
            exhausted().unwrap_or_else(|| attempt(Step::Upgrade { from: *revision }))
        }
        State::Drifted { findings, .. } => {
            let mut objects: Vec<_> = findings.iter().map(|finding| finding.object.clone()).collect();
            objects.sort_unstable();
            objects.dedup();
            attempt(Step::CorrectDrift { objects })
        }
        State::Failed { revision, good, .. } => remedy_of(*good, attempts, remediation).map_or_else(
            || exhausted().unwrap_or_else(|| attempt(Step::Upgrade { from: *revision })),
            remedy,
        ),
    }
}

/// What is done about a failed revision before anything else.
fn remedy_of(good: Option<u32>, attempts: &Attempts, remediation: Remediation) -> Option<Step> {
    if attempts.remedy_failures > remediation.retries {
        return None;
    }
    let Some(to) = good else {
        return (remediation.install == InstallRemedy::Uninstall).then_some(Step::Uninstall);
    };
    // Without a failure of ours it was somebody else's, an earlier request's, or an interruption: the way is forward.
    if attempts.failures == 0 {
        return None;
    }
    match remediation.upgrade {
        UpgradeRemedy::Rollback => Some(Step::Rollback { to }),
        UpgradeRemedy::Uninstall => Some(Step::Uninstall),
        UpgradeRemedy::Keep => None,
    }
}

fn stalled(attempts: &Attempts) -> Step {
    Step::Stalled {
        reason: attempts.message.clone().unwrap_or_default(),
    }
}

fn not_before(until: Option<Timestamp>, now: Timestamp, step: Step) -> Step {
    match until {
        Some(until) if until > now => Step::Wait { until },
        _ => step,
    }
}
