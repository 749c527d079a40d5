//! What was attempted, and how it ended. Kept in a status: it outlives the process.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    DIGEST_LABEL, HelmError, Step,
    release::{ReleaseHead, Status},
    state::sorted,
};

/// The pause after the first failure; every further one doubles it.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(15);
/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// Who asks. A new request starts anew, as another digest does: failures are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Generation of the resource that asks.
    pub generation: i64,
    /// Value of the annotation by which somebody asks to try again.
    pub retry: Option<String>,
}

/// What was attempted for one release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// [`Wanted::digest`](crate::Wanted::digest) of what was asked for; empty when the release should not be.
    pub digest: String,
    /// Generation of the resource that asked.
    pub generation: i64,
    /// The last request to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Installations and upgrades that failed.
    pub failures: u32,
    /// Rollbacks and uninstallations that failed since one succeeded.
    pub remedy_failures: u32,
    /// Operations that ended without a result since one had one: Helm or we were killed, or it could not be started. They count for pauses
    /// only: they say nothing of the chart.
    pub interruptions: u32,
    /// Whether trying again is of no use: the chart refuses the values.
    pub hopeless: bool,
    /// When one failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why the last installation or upgrade failed: the chart's own error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The operation that was begun and whose outcome is not yet seen in the release's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Started>,
    /// The last revision that was made and succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
}

/// An operation that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// Which.
    pub action: Action,
    /// The release's last revision before it; 0 for none.
    pub revision: u32,
    /// What it makes the release from.
    pub digest: String,
    /// How it ended, when its end was seen and counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// Helm said that it was done.
    Succeeded,
    /// Helm said that it was not, or was stopped.
    Failed,
}

/// Which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The first revision.
    Install,
    /// A new revision.
    Upgrade,
    /// A new revision like an old one.
    Rollback,
    /// The end of the release.
    Uninstall,
    /// Its objects applied again; makes no revision.
    CorrectDrift,
    /// A lock taken off; makes no revision.
    Unlock,
}

impl Action {
    /// Whether Helm records it in the release's history.
    const fn is_recorded(self) -> bool {
        !matches!(self, Self::CorrectDrift | Self::Unlock)
    }
}

/// A revision that was made from a digest and succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// [`Wanted::digest`](crate::Wanted::digest).
    pub digest: String,
    /// The revision.
    pub revision: u32,
    /// Uid of its Secret.
    pub uid: String,
}

impl Attempts {
    /// To be called, and kept, before a step is done.
    #[must_use]
    pub fn begin(mut self, step: &Step, history: &[&ReleaseHead]) -> Self {
        // The others make no revision, and must not hide what is known of the one that is to be unlocked.
        if let Some(action) = step.action().filter(|action| action.is_recorded()) {
            self.started = Some(Started {
                action,
                revision: sorted(history).last().map_or(0, |head| head.revision),
                digest: self.digest.clone(),
                ended: None,
            });
        }
        self
    }

    /// To be called when the step has ended. When nobody lived to call it, the next [`pass`](super::pass) learns from the history.
    #[must_use]
    pub fn end(mut self, step: &Step, result: Result<(), &HelmError>, now: Timestamp) -> Self {
        let Some(action) = step.action() else {
            return self;
        };
        if let Some(started) = self.started.as_mut().filter(|started| started.action == action) {
            started.ended = Some(if result.is_ok() {
                Ended::Succeeded
            } else {
                Ended::Failed
            });
        }
        let Err(error) = result else {
            self.interruptions = 0;
            return self;
        };
        match error {
            HelmError::Values { .. } | HelmError::Render { .. } | HelmError::NoChart { .. } => {
                self.hopeless |= matches!(action, Action::Install | Action::Upgrade);
                self.failed(action, &error.to_string(), now)
            }
            HelmError::TimedOut { .. } | HelmError::Failed { .. } => {
                self.failed(action, &error.to_string(), now)
            }
            _ => self.interrupted(now),
        }
    }

    /// Whether it was our Helm that made this pending revision; asked when none of ours runs.
    pub(crate) fn began(&self, head: &ReleaseHead) -> bool {
        let Some(started) = &self.started else {
            return false;
        };
        let marked = match started.action {
            Action::Install | Action::Upgrade => head.labels.get(DIGEST_LABEL) == Some(&started.digest),
            Action::Rollback => head.status == Status::PendingRollback,
            _ => false,
        };
        marked && head.revision == started.revision + 1
    }

    /// Whether this revision is what we made from the digest.
    pub(crate) fn made(&self, head: &ReleaseHead, digest: &str) -> bool {
        self.applied.as_ref().is_some_and(|applied| {
            applied.digest == digest && applied.revision == head.revision && applied.uid == head.uid
        })
    }

    /// What has become of the operation that was begun.
    pub(super) fn settle(mut self, history: &[&ReleaseHead], now: Timestamp) -> Self {
        let Some(started) = self.started.clone() else {
            return self;
        };
        let made = history.iter().find(|head| head.revision == started.revision + 1);
        if made.is_some_and(|head| head.status.is_pending()) {
            return self;
        }
        self.started = None;
        let action = started.action;
        match (action, made) {
            (Action::Rollback, Some(made)) if made.status == Status::Deployed => self.remedy_failures = 0,
            (Action::Uninstall, _) if history.is_empty() => self.remedy_failures = 0,
            // Only of a revision whose end was seen it is sure that it is ours.
            (_, Some(made))
                if made.status == Status::Deployed
                    && started.ended == Some(Ended::Succeeded)
                    && made.labels.get(DIGEST_LABEL) == Some(&started.digest) =>
            {
                self.applied = Some(Applied {
                    digest: started.digest,
                    revision: made.revision,
                    uid: made.uid.clone(),
                });
            }
            (_, Some(made)) if made.status == Status::Deployed => {}
            _ if started.ended.is_some() => {}
            (_, Some(made)) if made.status == Status::Failed && !made.was_interrupted() => {
                return self.failed(action, &made.description, now);
            }
            _ => return self.interrupted(now),
        }
        self
    }

    /// Starts anew when something else is asked for.
    pub(super) fn asked(mut self, digest: &str, request: &Request) -> Self {
        let retried = request.retry.is_some() && request.retry != self.retry;
        if self.digest != digest || self.generation != request.generation || retried {
            self.forget();
        }
        digest.clone_into(&mut self.digest);
        self.generation = request.generation;
        self.retry = request.retry.clone().or(self.retry);
        self
    }

    /// Nothing is left to do.
    pub(super) fn done(mut self) -> Self {
        self.forget();
        self
    }

    /// The release is what it should be; its objects may not be, and correcting them may have failed.
    pub(super) fn achieved(mut self) -> Self {
        let (interruptions, last_failure) = (self.interruptions, self.last_failure);
        self.forget();
        if interruptions > 0 {
            self.interruptions = interruptions;
            self.last_failure = last_failure;
        }
        self
    }

    /// No attempt before this time.
    pub(super) fn pause_until(&self) -> Option<Timestamp> {
        self.pause(self.failures.saturating_add(self.remedy_failures))
    }

    /// No rollback or uninstallation before this time: the first one follows at once.
    pub(super) fn remedy_pause_until(&self) -> Option<Timestamp> {
        self.pause(self.remedy_failures)
    }

    /// The first interruption is followed at once: a restart of ours is no reason to wait.
    fn pause(&self, failures: u32) -> Option<Timestamp> {
        let count = failures.saturating_add(self.interruptions.saturating_sub(1));
        self.last_failure.map(|last| after(last, pause(count)))
    }

    fn failed(mut self, action: Action, message: &str, now: Timestamp) -> Self {
        self.last_failure = Some(now);
        match action {
            Action::Install | Action::Upgrade => {
                self.failures = self.failures.saturating_add(1);
                self.message = Some(message.to_owned());
            }
            Action::Rollback | Action::Uninstall => {
                self.remedy_failures = self.remedy_failures.saturating_add(1);
            }
            Action::CorrectDrift | Action::Unlock => {
                self.interruptions = self.interruptions.saturating_add(1);
            }
        }
        self
    }

    fn interrupted(mut self, now: Timestamp) -> Self {
        self.last_failure = Some(now);
        self.interruptions = self.interruptions.saturating_add(1);
        self
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.remedy_failures = 0;
        self.interruptions = 0;
        self.hopeless = false;
        self.last_failure = None;
        self.message = None;
    }
}

/// The pause after so many failures.
fn pause(failures: u32) -> SignedDuration {
    let Some(doublings) = failures.checked_sub(1) else {
        return SignedDuration::ZERO;
    };
    FIRST_PAUSE
        .checked_mul(1_i32.checked_shl(doublings).unwrap_or(i32::MAX).max(1))
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

pub(super) fn after(time: Timestamp, pause: SignedDuration) -> Timestamp {
    time.checked_add(pause).unwrap_or(Timestamp::MAX)
}
