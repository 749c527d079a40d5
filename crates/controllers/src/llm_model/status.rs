//! The status of a model: can it be deployed, and does it fit into the GPUs that it asks for.
//!
//! In: the resource. Out: the status to store. Pure.

use api::{
    llm_example_com::v1alpha1::{LLMModel, LLMModelStatus},
    shared::State,
};
use k8s_openapi::jiff::Timestamp;
use reconcile::conditions::{self, Finding};
use serving::{field_error::FieldError, fit::assess, gpu::GpuRequest};

use super::parse::{ModelParts, parse};
use crate::reason::Reason;

/// The status that follows from the spec.
pub fn status(model: &LLMModel, now: Timestamp) -> LLMModelStatus {
    let stored = model.status.clone().unwrap_or_default();
    let generation = model.metadata.generation.unwrap_or_default();
    let parts = parse(&model.spec);
    let accepted = match &parts {
        Ok(_) => finding(
            true,
            Reason::Accepted,
            "The spec is valid; an LLMDeployment can name it.".to_owned(),
            generation,
        ),
        Err(errors) => finding(false, Reason::InvalidSpec, sentence(errors), generation),
    };
    LLMModelStatus {
        observed_generation: if parts.is_ok() {
            Some(generation)
        } else {
            stored.observed_generation
        },
        state: Some(if parts.is_ok() {
            State::Ready
        } else {
            State::Invalid
        }),
        gpu: parts
            .as_ref()
            .ok()
            .and_then(|parts| parts.gpu.as_ref())
            .map(GpuRequest::summary),
        fit: parts.as_ref().ok().and_then(|parts| fit(model, parts)),
        conditions: conditions::merge(&stored.conditions, &[accepted], now),
    }
}

fn fit(model: &LLMModel, parts: &ModelParts) -> Option<String> {
    let gpu = parts.gpu.as_ref()?;
    Some(assess(model.spec.engine, &parts.model, Some(gpu), &parts.container.args).to_string())
}

fn sentence(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(|error| format!("spec.{error}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn finding(status: bool, reason: Reason, message: String, generation: i64) -> Finding {
    Finding {
        type_: "Accepted",
        status: Some(status),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: generation,
    }
}
