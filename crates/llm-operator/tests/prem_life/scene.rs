//! `AIDeployment`s as tests apply them, and what is done to their objects behind the operator's back.

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Pod};
use kube::{
    Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::common::Space;

/// The label by which Pods are found.
pub const NAME: &str = "mlcontroller.premlabs.io/ai-deployment";

/// The spec of a container that serves at once behind one host, with `more` over it: objects are merged, a null takes a
/// field away.
pub fn generic(more: Value) -> Value {
    let mut spec = json!({
        "engine": {"name": "generic"},
        "endpoint": [{"domain": "small.example.com", "port": 8080}],
        "deployment": {"template": {"spec": {"containers": [
            {"name": "server", "image": "your-registry/gpt-small:v1"},
        ]}}},
    });
    merge(&mut spec, more);
    spec
}

/// An engine without GPU and models that nobody starts.
pub fn stopped(engine: &str, more: Value) -> Value {
    let mut spec = json!({"engine": {"name": engine}, "deployment": {"replicas": 0}});
    merge(&mut spec, more);
    spec
}

fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, more) => *base = more,
    }
}

/// Applies the whole resource with kubectl, as a person would.
pub async fn apply(space: &Space, name: &str, spec: Value) {
    space.apply(&document(name, &spec)).await;
}

/// The resource as a document.
pub fn document(name: &str, spec: &Value) -> String {
    let object = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": name}, "spec": spec,
    });
    object.to_string()
}

/// A map of models with these lists.
pub async fn apply_map(space: &Space, name: &str, spec: Value) {
    let object = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap", "metadata": {"name": name}, "spec": spec,
    });
    space.apply(&object.to_string()).await;
}

/// Merges a patch into an object, as somebody else.
pub async fn edit<K>(space: &Space, name: &str, patch: Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let params = PatchParams {
        field_manager: Some("somebody".to_owned()),
        ..PatchParams::default()
    };
    let api = space.api::<K>();
    api.patch(name, &params, &Patch::Merge(patch)).await.unwrap();
}

/// The Pods of a resource that are not ending, oldest first.
pub async fn pods(space: &Space, name: &str) -> Vec<Pod> {
    let selector = ListParams::default().labels(&format!("{NAME}={name}"));
    let mut pods = space.api::<Pod>().list(&selector).await.unwrap().items;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    pods.sort_by_key(|pod| (pod.creation_timestamp(), pod.name_any()));
    pods
}

/// kubectl in this namespace, which must work.
pub async fn kubectl(space: &Space, args: &[&str]) -> String {
    let (worked, text) = space.kubectl(args).await;
    assert!(worked, "kubectl {args:?}: {text}");
    text
}

/// The resource itself.
pub async fn stored(space: &Space, name: &str) -> AIDeployment {
    space.api().get(name).await.unwrap()
}
