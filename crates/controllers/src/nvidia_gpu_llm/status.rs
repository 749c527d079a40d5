//! The status of an `NvidiaGpuLlm`.
//!
//! In: what a reconcile has come to, and the status that is stored. Out: the status to store. Pure: the same facts give the
//! same status, so that a cluster at rest is not written to.

use api::{
    infra_example_com::v1::{NvidiaGpuLlm, NvidiaGpuLlmStatus, PromptState, PromptStatus},
    shared::State,
};
use diagnosis::facts::PodFacts;
use k8s_openapi::jiff::Timestamp;
use reconcile::conditions::{self, Finding};
use serving::plan::ServingPlan;

use super::{
    reasons::Reason,
    verdict::{Install, Verdict},
};
use crate::serving_kind::status::{self as common, accepted, finding};

const READY: &str = "Ready";
const APPLIED: &str = "Applied";
const PROMPTS: &str = "PromptsAnswered";

/// The first word on a generation: nothing has been made for it.
pub(super) fn begun(resource: &NvidiaGpuLlm, now: Timestamp) -> NvidiaGpuLlmStatus {
    let stored = stored(resource);
    let generation = generation(resource);
    let verdict = Verdict::begun(generation);
    let findings = [ready(&verdict, generation)];
    NvidiaGpuLlmStatus {
        started_generation: Some(generation),
        ..told(stored, &verdict, &findings, now)
    }
}

/// An install that has its name.
pub(super) fn installing(
    resource: &NvidiaGpuLlm,
    install: &Install<'_>,
    verdict: &Verdict,
    now: Timestamp,
) -> NvidiaGpuLlmStatus {
    let stored = stored(resource);
    let generation = generation(resource);
    let plan = install.accepted.ok();
    let done = matches!((&install.accepted, &install.applied), (Ok(_), Some(Ok(())))) && !install.replacing;
    let findings = [
        accepted(&install.accepted, generation),
        applied(install, generation),
        ready(verdict, generation),
        prompts(install, generation),
    ];
    let status = told(stored, verdict, &findings, now);
    NvidiaGpuLlmStatus {
        observed_generation: if done {
            Some(generation)
        } else {
            status.observed_generation
        },
        pod_name: install.pod.map(|pod| pod.name.to_string()),
        model_loaded: is_loaded(install).then(|| install.model.to_owned()),
        gpu_assigned: Some(install.pod.is_some_and(has_gpu)),
        url: plan.and_then(url),
        image: plan.map(|plan| plan.pod.engine.image.clone()).or(status.image),
        prompts: install.ledger.records.clone(),
        prompts_generation: (!install.ledger.records.is_empty()).then_some(generation),
        finished_generation: if install.finished {
            Some(generation)
        } else {
            status
                .finished_generation
                .filter(|finished| *finished == generation)
        },
        ..status
    }
}

/// What is stored of a server that had the model in memory for this generation. It stands until the server has been asked: a
/// process that has just begun knows less than its predecessor did.
pub(super) fn told_of_server(resource: &NvidiaGpuLlm) -> Option<(Verdict, NvidiaGpuLlmStatus)> {
    let stored = resource.status.as_ref()?;
    let (state, reason) = (stored.state?, stored.reason.clone()?);
    let current = stored.started_generation == resource.metadata.generation;
    let loaded = [Reason::ModelLoaded, Reason::Answering]
        .iter()
        .any(|one| one.as_str() == reason);
    let sentence = stored.message.clone()?;
    (current && loaded).then(|| {
        let verdict = Verdict {
            state,
            reason,
            sentence,
        };
        (verdict, stored.clone())
    })
}

/// Anything else: an install that waits, an uninstall, a deletion.
pub(super) fn without_pod(resource: &NvidiaGpuLlm, verdict: &Verdict, now: Timestamp) -> NvidiaGpuLlmStatus {
    let generation = generation(resource);
    let stored = stored(resource);
    let gone = NvidiaGpuLlmStatus {
        pod_name: None,
        model_loaded: None,
        gpu_assigned: (verdict.state != State::Terminating).then_some(false),
        url: None,
        image: None,
        conditions: if verdict.state == State::Terminating {
            stored.conditions.clone()
        } else {
            only_ready(&stored)
        },
        ..stored
    };
    let settled = verdict.state != State::Terminating;
    let status = told(gone, verdict, &[ready(verdict, generation)], now);
    NvidiaGpuLlmStatus {
        observed_generation: if settled {
            Some(generation)
        } else {
            status.observed_generation
        },
        ..status
    }
}

/// An install that does not have its name; its prompts stay as they ended.
pub(super) fn waiting(
    resource: &NvidiaGpuLlm,
    verdict: &Verdict,
    records: Vec<PromptStatus>,
    now: Timestamp,
) -> NvidiaGpuLlmStatus {
    NvidiaGpuLlmStatus {
        prompts_generation: (!records.is_empty()).then(|| generation(resource)),
        prompts: records,
        ..without_pod(resource, verdict, now)
    }
}

/// What a `status` mirrors of a Pod.
#[derive(Debug, Default)]
pub(super) struct Mirrored {
    /// Name of the Pod.
    pub pod_name: Option<String>,
    /// The model in its memory.
    pub model_loaded: Option<String>,
    /// Whether it has its GPUs.
    pub gpu_assigned: bool,
}

/// A `status`.
pub(super) fn reporting(
    resource: &NvidiaGpuLlm,
    verdict: &Verdict,
    mirrored: Mirrored,
    now: Timestamp,
) -> NvidiaGpuLlmStatus {
    NvidiaGpuLlmStatus {
        pod_name: mirrored.pod_name,
        model_loaded: mirrored.model_loaded,
        gpu_assigned: Some(mirrored.gpu_assigned),
        ..without_pod(resource, verdict, now)
    }
}

/// Whether a node gave the Pod the GPUs that it asked for, and it still has them.
pub(super) fn has_gpu(pod: &PodFacts) -> bool {
    pod.node.is_some() && pod.holds_devices()
}

/// What every status says.
fn told(
    stored: NvidiaGpuLlmStatus,
    verdict: &Verdict,
    findings: &[Finding],
    now: Timestamp,
) -> NvidiaGpuLlmStatus {
    NvidiaGpuLlmStatus {
        phase: Some(verdict.phase()),
        message: Some(verdict.sentence.clone()),
        state: Some(verdict.state),
        reason: Some(verdict.reason.clone()),
        conditions: conditions::merge(&stored.conditions, findings, now),
        ..stored
    }
}

fn stored(resource: &NvidiaGpuLlm) -> NvidiaGpuLlmStatus {
    resource.status.clone().unwrap_or_default()
}

fn generation(resource: &NvidiaGpuLlm) -> i64 {
    resource.metadata.generation.unwrap_or_default()
}

/// The other conditions speak of an install.
fn only_ready(stored: &NvidiaGpuLlmStatus) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let conditions = stored.conditions.iter();
    conditions.filter(|one| one.type_ == READY).cloned().collect()
}

fn is_loaded(install: &Install<'_>) -> bool {
    install.explanation.serves && matches!(install.heard, super::talk::Heard::Loaded { .. })
}

fn url(plan: &ServingPlan) -> Option<String> {
    let (name, namespace) = (&plan.name, &plan.identity.namespace);
    plan.service
        .made
        .then(|| format!("http://{name}.{namespace}.svc:{}", plan.service.port))
}

fn ready(verdict: &Verdict, generation: i64) -> Finding {
    finding(
        READY,
        Some(verdict.state == State::Ready),
        &verdict.reason,
        verdict.sentence.clone(),
        generation,
    )
}

fn applied(install: &Install<'_>, generation: i64) -> Finding {
    if install.replacing {
        let message = format!("Pod {} is made anew.", install.llm_name);
        return finding(
            APPLIED,
            Some(false),
            Reason::Replacing.as_str(),
            message,
            generation,
        );
    }
    common::applied(install.applied.as_ref(), install.pod.is_some(), None, generation)
}

fn prompts(install: &Install<'_>, generation: i64) -> Finding {
    let (total, records) = (install.prompts, &install.ledger.records);
    let of = |state: PromptState| records.iter().filter(move |record| record.state == state);
    let answered = of(PromptState::Answered).count();
    let bad: Vec<&PromptStatus> = of(PromptState::Failed)
        .chain(of(PromptState::Interrupted))
        .collect();
    let (reason, message) = if total == 0 {
        (Reason::NoPrompts, "There are no prompts.".to_owned())
    } else if let Some(first) = bad.first() {
        let why = first.message.as_deref().unwrap_or_default();
        (
            Reason::SomeFailed,
            format!(
                "{answered} of {total} prompts are answered; prompt {}: {why}",
                first.index
            ),
        )
    } else if install.ledger.done {
        (
            Reason::AllAnswered,
            format!("{answered} of {total} prompts are answered."),
        )
    } else {
        (
            Reason::NotYet,
            format!(
                "{answered} of {total} prompts are answered; they are sent when the model is loaded, one by one."
            ),
        )
    };
    let holds = matches!(reason, Reason::NoPrompts | Reason::AllAnswered);
    finding(PROMPTS, Some(holds), reason.as_str(), message, generation)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
