//! How the tests look at kinds that name a model of the catalogue: by the parts of a status that all of them have.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Pod, Service},
};
use kube::{Resource, ResourceExt, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

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

/// A resource of one of these kinds.
pub fn resource(kind: &str, name: &str, spec: Value) -> String {
    let group = if kind == "DynamoGraphDeployment" {
        "nvidia.com/v1"
    } else {
        "ai.example.com/v1"
    };
    json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec}).to_string()
}

/// A spec of the smallest model of the catalogue, with `more` on top. It needs no token and one GPU.
pub fn small(more: Value) -> Value {
    crate::common::desk::with(json!({"modelName": "qwen2.5-0.5b", "gpuType": "H100"}), &more)
}

/// The same for a `ModelDeployment`.
pub fn small_set(more: Value) -> Value {
    crate::common::desk::with(json!({"model": "qwen2.5-0.5b", "gpuType": "H100"}), &more)
}

/// kubectl, which has to work.
pub async fn kubectl(space: &Space, args: &[&str]) -> String {
    let (worked, said) = space.kubectl(args).await;
    assert!(worked, "kubectl {args:?}: {said}");
    said
}

/// Merges `spec` into the resource's.
pub async fn edit(space: &Space, kind: &str, name: &str, spec: Value) {
    let patch = json!({ "spec": spec }).to_string();
    kubectl(space, &["patch", kind, name, "--type=merge", "-p", &patch]).await;
}

/// Everything that could have been made for resources of this namespace.
pub async fn made(space: &Space) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(names::<Deployment>(space).await);
    found.extend(names::<StatefulSet>(space).await);
    found.extend(names::<Service>(space).await);
    found.extend(names::<Pod>(space).await);
    found
}

/// Kind and name of all objects of a kind.
pub async fn names<K>(space: &Space) -> Vec<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let list = space.api::<K>().list(&ListParams::default()).await.unwrap();
    list.items
        .iter()
        .map(|object| format!("{} {}", K::kind(&()), object.name_any()))
        .collect()
}

/// The engine's container of the only Pod template of a workload, as JSON.
pub fn engine(workload: &impl Serialize) -> Value {
    serde_json::to_value(workload).unwrap()["spec"]["template"]["spec"]["containers"][0].clone()
}

/// Waits for Events of this reason about a resource, and counts them.
pub async fn wait_event(space: &Space, name: &str, reason: &str) -> usize {
    space.wait_event(name, reason).await.len()
}
