//! Maps as a test writes and sees them.

use api::premlabs_io::v1alpha1::{AIModelMap, AIModelMapStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::common::Space;

/// A map with these lists, indented by two.
pub fn map(name: &str, lists: &str) -> String {
    format!("apiVersion: premlabs.io/v1alpha1\nkind: AIModelMap\nmetadata: {{name: {name}}}\nspec:\n{lists}")
}

/// Waits until the map's current generation was looked at and its status satisfies `wanted`.
pub async fn wait_map(
    space: &Space,
    name: &str,
    what: &str,
    wanted: impl Fn(&AIModelMapStatus) -> bool,
) -> AIModelMapStatus {
    let found: AIModelMap = space
        .wait(what, name, |map: &AIModelMap| {
            let status = map.status.as_ref();
            let seen = status
                .and_then(|status| condition(status, "Accepted"))
                .is_some_and(|accepted| accepted.observed_generation == map.metadata.generation);
            seen && status.is_some_and(&wanted)
        })
        .await;
    found.status.unwrap()
}

/// Waits for a word of state.
pub async fn wait_state(space: &Space, name: &str, state: &str) -> AIModelMapStatus {
    wait_map(space, name, state, |status| {
        status.state.is_some_and(|found| found.as_str() == state)
    })
    .await
}

/// A condition by type.
pub fn condition<'a>(status: &'a AIModelMapStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}
