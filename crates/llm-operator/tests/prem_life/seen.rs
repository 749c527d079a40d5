//! What tests look at: statuses of `AIDeployment`s and the objects made for them.

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::common::Space;
pub use crate::common::prem::{deployment, pod_spec, service, serving, wait_error, wait_word};

/// Waits until the status satisfies `wanted`, and returns it.
pub async fn wait_status(
    space: &Space,
    name: &str,
    what: &str,
    wanted: impl Fn(&AIDeploymentStatus) -> bool,
) -> AIDeploymentStatus {
    let found: AIDeployment = space
        .wait(what, name, |object: &AIDeployment| {
            object.status.as_ref().is_some_and(&wanted)
        })
        .await;
    found.status.unwrap()
}

/// A condition by type.
pub fn condition<'a>(status: &'a AIDeploymentStatus, type_: &str) -> &'a Condition {
    let found = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_);
    found.unwrap_or_else(|| panic!("no condition {type_}: {status:?}"))
}
