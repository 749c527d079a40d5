//! How the tests look at kinds that name a model of the catalogue: by the parts of a status that all of them have.

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::common::Space;

/// Waits until the status, of the current generation, is as wanted.
pub async fn wait_status<K>(space: &Space, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let status = |object: &K| serde_json::to_value(object).unwrap()["status"].clone();
    let found: K = space
        .wait(what, name, |object: &K| {
            let status = status(object);
            let generation = condition(&status, "Ready")["observedGeneration"].as_i64();
            generation == object.meta().generation && wanted(&status)
        })
        .await;
    status(&found)
}

/// Waits for a word of state.
pub async fn wait_state<K>(space: &Space, name: &str, state: &str) -> Value
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    wait_status::<K>(space, name, state, |status| status["state"] == state).await
}

/// Waits for a reason, and returns the sentence of the condition that carries it.
pub async fn wait_reason<K>(space: &Space, name: &str, reason: &str) -> String
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let status = wait_status::<K>(space, name, reason, |status| status["reason"] == reason).await;
    let conditions = status["conditions"].as_array().unwrap();
    let carrier = conditions.iter().find(|condition| condition["reason"] == reason);
    carrier.unwrap()["message"].as_str().unwrap().to_owned()
}

/// A condition by type; null when it is missing.
pub fn condition(status: &Value, type_: &str) -> Value {
    let conditions = status["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == type_));
    found.cloned().unwrap_or_default()
}

/// The Secret by whose token gated models may be loaded.
pub async fn token(space: &Space) {
    let made = [
        "create",
        "secret",
        "generic",
        "hf-token",
        "--from-literal=token=hf_test",
    ];
    let (worked, said) = space.kubectl(&made).await;
    assert!(worked, "{said}");
}
