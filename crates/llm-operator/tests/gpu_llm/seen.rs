//! How the tests look at `NvidiaGpuLlm`s.

use api::infra_example_com::v1::{NvidiaGpuLlm, NvidiaGpuLlmStatus, Phase};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::common::Space;

/// Waits for a phase of the current generation.
pub async fn wait_phase(space: &Space, name: &str, phase: Phase) -> NvidiaGpuLlmStatus {
    wait_status(space, name, &format!("{phase:?}"), |status| {
        status.phase == Some(phase)
    })
    .await
}

/// Waits for a reason of the current generation.
pub async fn wait_reason(space: &Space, name: &str, reason: &str) -> NvidiaGpuLlmStatus {
    wait_status(space, name, reason, |status| {
        status.reason.as_deref() == Some(reason)
    })
    .await
}

/// Waits until the status, of the current generation, is as wanted.
pub async fn wait_status(
    space: &Space,
    name: &str,
    what: &str,
    wanted: impl Fn(&NvidiaGpuLlmStatus) -> bool,
) -> NvidiaGpuLlmStatus {
    let found: NvidiaGpuLlm = space
        .wait(what, name, |object: &NvidiaGpuLlm| {
            object.status.as_ref().is_some_and(|status| {
                let ready = condition(status, "Ready");
                let current =
                    ready.is_some_and(|ready| ready.observed_generation == object.metadata.generation);
                current && wanted(status)
            })
        })
        .await;
    found.status.unwrap_or_default()
}

/// A condition by type.
pub fn condition<'a>(status: &'a NvidiaGpuLlmStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// An install of `llm_name` by a resource `name`; `more`: lines of the spec, indented by two.
pub fn install(name: &str, llm_name: &str, more: &str) -> String {
    resource(name, "install", llm_name, more)
}

/// A resource with an action.
pub fn resource(name: &str, action: &str, llm_name: &str, more: &str) -> String {
    format!(
        "apiVersion: infra.example.com/v1\nkind: NvidiaGpuLlm\nmetadata:\n  name: {name}\nspec:\n  action: {action}\n  llmName: {llm_name}\n{more}\n"
    )
}
