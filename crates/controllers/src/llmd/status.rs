//! From what one reconcile has found to the status. Pure.

use api::{
    opendatahub_io::components::v1alpha1::{ChartRelease, Llmd, LlmdStatus, ReleaseRevision},
    shared::State as Word,
};
use helm::{Action, Attempts, HelmError, State, Step, release::ReleaseHead};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use reconcile::conditions::{self, Finding};

use super::{
    attempts,
    component::Component,
    dependencies::Missing,
    objects::Serving,
    preparation::Unprepared,
    reasons::Reason,
    verdicts::{dependencies, deployments, provisioning, state_word, trouble},
};

/// Revisions in the status.
const HISTORY: usize = 10;
/// Longest description of one of them, in characters.
const DESCRIPTION: usize = 512;

/// A cause that stands before all releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Why.
    pub reason: Reason,
    /// One sentence.
    pub message: String,
}

impl Obstacle {
    /// Of a chart that cannot be had.
    pub fn of(unprepared: &Unprepared) -> Self {
        let reason = match &unprepared.error {
            HelmError::NotInstalled { .. } | HelmError::File { .. } => Reason::HelmUnavailable,
            HelmError::Values { .. } => Reason::ValuesRefused,
            HelmError::Render { .. } | HelmError::NoChart { .. } => Reason::ChartBroken,
            _ => Reason::ChartUnavailable,
        };
        Self {
            reason,
            message: unprepared.to_string(),
        }
    }
}

/// One release.
#[derive(Clone, Debug)]
pub struct ReleaseReport {
    /// Which chart's.
    pub component: Component,
    /// Its namespace.
    pub namespace: String,
    /// Whether it should be.
    pub wanted: bool,
    /// Where its chart is had from.
    pub source: Option<String>,
    /// Its state.
    pub state: State,
    /// What follows.
    pub step: Step,
    /// Why that has to wait for something else.
    pub held: bool,
    /// What is under way on it, and since when.
    pub running: Option<(Action, Timestamp)>,
    /// Why the last step that is no installation and no upgrade has failed, if it has.
    pub trouble: Option<String>,
    /// What was tried.
    pub attempts: Attempts,
    /// Its revisions, in any order.
    pub history: Vec<ReleaseHead>,
}

/// What one reconcile has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Namespace in which releases are.
    pub namespace: String,
    /// What stands before all of them.
    pub obstacle: Option<Obstacle>,
    /// What is missing; none before the charts are rendered.
    pub missing: Option<Missing>,
    /// The releases that should be or are; none while they are not known.
    pub releases: Option<Vec<ReleaseReport>>,
    /// Workloads; none while they are not known.
    pub serving: Option<Vec<Serving>>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// A status, and the one word of state with its reason.
pub struct Told {
    /// The status.
    pub status: LlmdStatus,
    /// The word.
    pub word: Word,
    /// The reason of `Ready`.
    pub reason: String,
    /// The sentence of `Ready`.
    pub message: String,
}

/// The status that tells this.
pub fn status(llmd: &Llmd, report: &Report, now: Timestamp) -> Told {
    let generation = llmd.metadata.generation.unwrap_or_default();
    let stored = llmd.status.clone().unwrap_or_default();
    let finding = |type_, status, reason: Reason, message: String| Finding {
        type_,
        status,
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: generation,
    };
    let (provisioned, reason, message) = provisioning(report);
    let provisioning = finding("ProvisioningSucceeded", provisioned, reason, message);
    let (status, reason, message) = dependencies(report);
    let dependencies = finding("DependenciesAvailable", status, reason, message);
    let (status, reason, message) = deployments(report);
    let deployments = finding("DeploymentsAvailable", status, reason, message);
    let bad = [&provisioning, &dependencies, &deployments]
        .into_iter()
        .find(|finding| finding.status != Some(true));
    let ready = match bad {
        _ if report.terminating => finding(
            "Ready",
            Some(false),
            Reason::Terminating,
            format!("it is being deleted: {}", provisioning.message),
        ),
        None => finding("Ready", Some(true), Reason::Ready, deployments.message.clone()),
        Some(bad) => Finding {
            type_: "Ready",
            status: Some(false),
            ..bad.clone()
        },
    };
    let is_ready = ready.status == Some(true);
    let stalled = (provisioning.reason == Reason::RetriesExhausted.as_str()).then(|| Finding {
        type_: "Stalled",
        status: Some(true),
        ..provisioning.clone()
    });
    let word = word(report, &provisioning, is_ready);
    let (reason, message) = (ready.reason.clone(), ready.message.clone());
    let findings: Vec<Finding> = [ready, provisioning, dependencies, deployments]
        .into_iter()
        .chain(stalled)
        .collect();
    let told = LlmdStatus {
        phase: Some(if is_ready { "Ready" } else { "Not Ready" }.to_owned()),
        observed_generation: if is_ready {
            Some(generation)
        } else {
            stored.observed_generation
        },
        conditions: merged(&stored.conditions, &findings, now),
        releases: match &report.releases {
            Some(releases) => releases.iter().filter_map(release).collect(),
            None => stored.releases,
        },
        namespace: Some(report.namespace.clone())
            .filter(|name| !name.is_empty())
            .or(stored.namespace),
    };
    Told {
        status: told,
        word,
        reason,
        message,
    }
}

/// Ours alone: a `Stalled` that is over goes.
fn merged(stored: &[Condition], findings: &[Finding], now: Timestamp) -> Vec<Condition> {
    let merged = conditions::merge(stored, findings, now);
    let told = |condition: &Condition| findings.iter().any(|finding| finding.type_ == condition.type_);
    merged
        .into_iter()
        .filter(|condition| condition.type_ != "Stalled" || told(condition))
        .collect()
}

fn word(report: &Report, provisioning: &Finding, ready: bool) -> Word {
    if report.terminating {
        return Word::Terminating;
    }
    if ready {
        return Word::Ready;
    }
    let invalid = [Reason::InvalidSpec, Reason::ValuesRefused, Reason::ChartBroken];
    let moving = [Reason::Progressing, Reason::Provisioned, Reason::NothingEnabled];
    let is_one = |reasons: &[Reason]| {
        reasons
            .iter()
            .any(|reason| reason.as_str() == provisioning.reason)
    };
    if is_one(&invalid) {
        Word::Invalid
    } else if is_one(&moving) && report.missing.as_ref().is_none_or(Missing::is_empty) {
        Word::Progressing
    } else {
        Word::Blocked
    }
}

fn release(report: &ReleaseReport) -> Option<ChartRelease> {
    if !report.wanted && report.history.is_empty() {
        return None;
    }
    let mut history: Vec<&ReleaseHead> = report.history.iter().collect();
    history.sort_by_key(|head| std::cmp::Reverse(head.revision));
    let deployed = history
        .iter()
        .find(|head| head.status == helm::release::Status::Deployed);
    let number = |revision: u32| i32::try_from(revision).unwrap_or(i32::MAX);
    Some(ChartRelease {
        name: report.component.release().to_owned(),
        version: deployed.map(|head| head.version.to_string()),
        repo_url: report.source.clone(),
        namespace: Some(report.namespace.clone()),
        state: Some(
            if report.running.is_some() {
                "Running"
            } else {
                state_word(&report.state)
            }
            .to_owned(),
        ),
        message: trouble(report).map(|(_, sentence)| sentence).or_else(|| {
            report
                .held
                .then(|| "waits for kinds that the cluster does not know".to_owned())
        }),
        revision: deployed.map(|head| number(head.revision)),
        attempts: attempts::stored(&report.attempts),
        history: history
            .into_iter()
            .take(HISTORY)
            .map(|head| ReleaseRevision {
                revision: number(head.revision),
                version: head.version.to_string(),
                status: head.status.as_str().to_owned(),
                deployed_at: head.last_deployed,
                description: Some(head.description.chars().take(DESCRIPTION).collect())
                    .filter(|text: &String| !text.is_empty()),
            })
            .collect(),
    })
}
