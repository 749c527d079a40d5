//! Whom a change wakes.
//!
//! In: a change in one cache, and lookups in others. Out: the keys to reconcile. A change that no step reads wakes
//! nobody: this is what keeps an unchanged cluster at rest.

mod children;
mod nodes;
mod pods;
mod roots;

pub(crate) use self::{
    children::{child_changed, claim_changed, llm_key, scaled_key, scaler_changed, scaler_keys},
    nodes::{class_changed, holder_changed, node_changed},
    pods::{HOLDS_DEVICES, event_changed, owner_key, pod_changed, pod_keys, uid_key, workload_event_changed},
    roots::{
        WAITS_FOR_GPUS, ai_deployment_changed, claim_keys, model_changed, model_map_changed, root_keys,
        serving_changed,
    },
};

/// Index key of resources that are sized by the catalogue of models.
pub(crate) const CATALOGUE: &str = "catalogue";

/// Index key of whoever names, or is named as, `namespace`/`name` of a sort such as `model`, `map` or `claim`.
pub(crate) fn named(sort: &str, namespace: &str, name: &str) -> String {
    format!("{sort}:{namespace}/{name}")
}
