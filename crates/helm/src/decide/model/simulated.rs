//! A Helm and the Secrets that it writes, as far as the state machine can tell it from the real one (`pkg/action` of Helm 4).

use k8s_openapi::jiff::Timestamp;

use crate::{
    DIGEST_LABEL, HelmError, ReleaseName, Step, Version, Wanted,
    release::{ReleaseHead, Status},
};

/// Less than we ask for, so that pruning happens.
const HISTORY_MAX: usize = 4;

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeds,
    /// Before anything is recorded.
    Refused,
    /// Recorded as failed.
    Fails,
    /// Killed after so many writes.
    Killed(usize),
}

/// What a release is made from, and with which labels.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) wanted: Wanted,
    pub(super) ours: bool,
}

#[derive(Default)]
pub(super) struct Cluster {
    pub(super) history: Vec<ReleaseHead>,
    pub(super) drifted: bool,
    /// Uids of revisions that somebody else's Helm has made, or of which it is not known.
    pub(super) foreign: Vec<String>,
    uids: u32,
    writes_left: usize,
}

impl Cluster {
    pub(super) fn heads(&self) -> Vec<&ReleaseHead> {
        self.history.iter().collect()
    }

    /// Does a step, as the CLI would.
    pub(super) fn run(
        &mut self,
        step: &Step,
        made: &Made,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), HelmError> {
        self.writes_left = match outcome {
            Outcome::Killed(writes) => writes,
            _ => usize::MAX,
        };
        if outcome == Outcome::Refused {
            return failed("the server is not reached");
        }
        let fails = outcome == Outcome::Fails;
        match step {
            Step::Install => self.install(made, fails, now),
            Step::Upgrade { .. } => self.upgrade(made, fails, now),
            Step::Rollback { to } => self.roll_back(*to, made, fails, now),
            Step::Uninstall => self.uninstall(fails),
            Step::Unlock { revision } => {
                let at = self
                    .history
                    .iter()
                    .position(|head| head.revision == *revision)
                    .unwrap();
                self.write(|history| fail(&mut history[at], "Unlocked: left pending"))
            }
            Step::CorrectDrift { .. } if fails => failed("denied by a webhook"),
            Step::CorrectDrift { .. } => self.write(|_| {}).map(|()| self.drifted = false),
            Step::Wait { .. } | Step::Nothing | Step::Stalled { .. } => {
                unreachable!("no operation: {step:?}")
            }
        }
    }

    fn install(&mut self, made: &Made, fails: bool, now: Timestamp) -> Result<(), HelmError> {
        if !self.history.is_empty() {
            return failed("cannot reuse a name that is still in use");
        }
        self.create(Status::PendingInstall, made, now)?;
        self.finish(fails, "Release \"demo\" failed: chart")
    }

    fn upgrade(&mut self, made: &Made, fails: bool, now: Timestamp) -> Result<(), HelmError> {
        let Some(last) = self.history.last() else {
            return failed("has no deployed releases");
        };
        if last.status.is_pending() {
            return failed("another operation is in progress");
        }
        let deployed = self.history.iter().any(|head| head.status == Status::Deployed);
        if !deployed && !matches!(last.status, Status::Failed | Status::Superseded) {
            return failed("has no deployed releases");
        }
        let labels = last.labels.clone();
        self.create(Status::PendingUpgrade, made, now)?;
        // Helm keeps the labels of the last revision, but for those that are given.
        let new = self.history.last_mut().unwrap();
        for (key, value) in labels {
            new.labels.entry(key).or_insert(value);
        }
        self.finish(fails, "Upgrade \"demo\" failed: chart")
    }

    fn roll_back(&mut self, to: u32, made: &Made, fails: bool, now: Timestamp) -> Result<(), HelmError> {
        let Some(old) = self.history.iter().find(|head| head.revision == to).cloned() else {
            return failed("release has no such version");
        };
        self.create(Status::PendingRollback, made, now)?;
        let at = self.history.len() - 1;
        let new = &mut self.history[at];
        new.chart = old.chart;
        new.version = old.version;
        new.values_digest = old.values_digest;
        new.labels = old.labels;
        new.rollback_of = Some(to);
        if fails && at > 0 {
            self.write(|history| history[at - 1].status = Status::Superseded)?;
        }
        self.finish(fails, "Rollback \"demo\" failed: chart")
    }

    fn uninstall(&mut self, fails: bool) -> Result<(), HelmError> {
        let Some(last) = self.history.last() else {
            return Ok(());
        };
        if last.status != Status::Uninstalled {
            if fails {
                return failed("pre-delete hook failed");
            }
            self.write(|history| history.last_mut().unwrap().status = Status::Uninstalling)?;
        }
        while !self.history.is_empty() {
            self.write(|history| {
                history.remove(0);
            })?;
        }
        self.drifted = false;
        Ok(())
    }

    /// The end of an operation. When it is a good one, the old revisions are superseded first.
    fn finish(&mut self, fails: bool, message: &str) -> Result<(), HelmError> {
        let at = self.history.len() - 1;
        if fails {
            self.write(|history| fail(&mut history[at], message))?;
            return failed(message);
        }
        for old in 0..at {
            if self.history[old].status == Status::Deployed {
                self.write(|history| history[old].status = Status::Superseded)?;
            }
        }
        self.write(|history| {
            history[at].status = Status::Deployed;
            "complete".clone_into(&mut history[at].description);
        })?;
        self.drifted = false;
        Ok(())
    }

    fn create(&mut self, status: Status, made: &Made, now: Timestamp) -> Result<(), HelmError> {
        self.uids += 1;
        let revision = self.history.last().map_or(1, |last| last.revision + 1);
        let head = head(revision, self.uids, status, made, now);
        self.write(|history| {
            prune(history);
            history.push(head);
        })
    }

    /// One write of a Secret, if Helm lives.
    fn write(&mut self, change: impl FnOnce(&mut Vec<ReleaseHead>)) -> Result<(), HelmError> {
        if self.writes_left == 0 {
            return failed("signal: killed");
        }
        self.writes_left -= 1;
        change(&mut self.history);
        Ok(())
    }
}

/// The oldest go, but not the deployed one.
fn prune(history: &mut Vec<ReleaseHead>) {
    let deployed = history.iter().rev().find(|head| head.status == Status::Deployed);
    let kept = deployed.map(|head| head.revision);
    while history.len() >= HISTORY_MAX {
        let oldest = history
            .iter()
            .position(|head| Some(head.revision) != kept)
            .unwrap();
        history.remove(oldest);
    }
}

fn head(revision: u32, uid: u32, status: Status, made: &Made, now: Timestamp) -> ReleaseHead {
    let labels = [("ours", "yes"), (DIGEST_LABEL, &made.wanted.digest)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    ReleaseHead {
        name: ReleaseName {
            namespace: "llm-d".to_owned(),
            name: "demo".to_owned(),
        },
        revision,
        status,
        chart: made.wanted.chart.clone(),
        version: Version::new(made.wanted.version.as_str()),
        values_digest: made.wanted.values_digest.clone(),
        description: "underway".to_owned(),
        last_deployed: Some(now),
        rollback_of: None,
        labels: if made.ours {
            labels.into()
        } else {
            std::collections::BTreeMap::new()
        },
        uid: uid.to_string(),
    }
}

fn fail(head: &mut ReleaseHead, message: &str) {
    head.status = Status::Failed;
    message.clone_into(&mut head.description);
}

fn failed(message: &str) -> Result<(), HelmError> {
    Err(HelmError::Failed {
        message: message.to_owned(),
    })
}
