//! The cluster of these tests and what they ask it.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, Pod};
use kube::{
    Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::{Cluster, GpuModel, ImageEntry, ImageTable, NodeOptions, NodeSpec, node::Speed};

use crate::common::{self, Bed, PATIENCE, Space};

/// Nodes of every size of GPU, and two without. Models load a hundred times as fast.
pub async fn bed() -> &'static Bed {
    common::bed_with(|| {
        let a100_40 = GpuModel::new("NVIDIA-A100-SXM4-40GB", 40_960, "ampere", (8, 0));
        let images = ImageTable::default().with("models/llama", ImageEntry::generic());
        Cluster::builder()
            .node(NodeSpec::cpu("cpu-0"))
            .node(NodeSpec::cpu("cpu-1"))
            .node(NodeSpec::l4("l4", 8))
            .node(NodeSpec::gpus("a100-40", a100_40, 8))
            .node(NodeSpec::a100_80("a100-80", 8))
            .node(NodeSpec::h100("h100", 8))
            .node_options(NodeOptions {
                images,
                speed: Speed::loading(100.0),
                backoff_scale: 0.1,
                ..NodeOptions::default()
            })
    })
    .await
}

/// A generic model with more of a spec.
pub fn generic(more: Value) -> Value {
    with(
        json!({"modelName": "small", "image": "your-registry/gpt-small:v1", "resources": {"cpu": "10m", "memory": "1Gi"}}),
        more,
    )
}

/// `base` with the fields of `more` on top.
pub fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    for (key, value) in more {
        base[key] = value;
    }
    base
}

/// Applies a model of this name.
pub async fn apply_model(space: &Space, name: &str, spec: &Value) {
    let object = json!({
        "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": name}, "spec": spec,
    });
    space.apply(&object.to_string()).await;
}

/// Applies a model and a deployment of it, both of this name.
pub async fn deploy(space: &Space, name: &str, model: &Value, deployment: Value) {
    apply_model(space, name, model).await;
    let object = json!({
        "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": {"name": name},
        "spec": with(json!({"modelRef": name, "replicas": 1, "terminationGracePeriodSeconds": 1}), deployment),
    });
    space.apply(&object.to_string()).await;
}

/// A claim made by somebody else.
pub async fn make_claim(space: &Space, name: &str, mode: &str) {
    let class = if mode.starts_with("ReadWriteOnce") {
        "standard"
    } else {
        "shared"
    };
    let object = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "storageClassName": class, "resources": {"requests": {"storage": "10Gi"}}},
    });
    space.apply(&object.to_string()).await;
}

/// The Pods of a deployment that are not ending.
pub async fn pods(space: &Space, name: &str) -> Vec<Pod> {
    let selector = ListParams::default().labels(&format!("llm-operator.io/name={name}"));
    let list = space.api::<Pod>().list(&selector).await.unwrap();
    list.items
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect()
}

/// The only Pod of a deployment.
pub async fn pod(space: &Space, name: &str) -> Pod {
    let mut pods = pods(space, name).await;
    assert_eq!(pods.len(), 1, "{name}");
    pods.remove(0)
}

/// Nodes of the Pods, one per Pod.
pub fn nodes_of(pods: &[Pod]) -> Vec<String> {
    let mut nodes: Vec<String> = pods
        .iter()
        .map(|pod| pod.spec.as_ref().unwrap().node_name.clone().unwrap_or_default())
        .collect();
    nodes.sort();
    nodes
}

/// The engine's container.
pub fn engine(pod: &Pod) -> &Container {
    let containers = &pod.spec.as_ref().unwrap().containers;
    containers
        .iter()
        .find(|container| container.name == "engine")
        .unwrap()
}

/// A variable of the engine's container.
pub fn variable(pod: &Pod, name: &str) -> Option<String> {
    let variables = engine(pod).env.iter().flatten();
    variables
        .into_iter()
        .find(|variable| variable.name == name)?
        .value
        .clone()
}

/// The claim that the Pod mounts for its weights.
pub fn mounted_claim(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.as_ref().unwrap().volumes.iter().flatten();
    let mut claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.next().map(|claim| claim.claim_name.clone())
}

/// A claim.
pub async fn claim(space: &Space, name: &str) -> PersistentVolumeClaim {
    space.api().get(name).await.unwrap()
}

fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Waits until so many Pods of a deployment serve from this image, and no other stays. A status names the image of a model that was
/// edited while all that it counts are Pods of the image before.
pub async fn serving_from(space: &Space, name: &str, image: &str, count: usize) -> Vec<Pod> {
    let is_new = |pod: &Pod| engine(pod).image.as_deref() == Some(image) && is_ready(pod);
    testkit::until(
        format!("{count} Pods of {name} with {image}"),
        PATIENCE,
        async || {
            let pods = pods(space, name).await;
            let new = pods.iter().filter(|pod| is_new(pod)).count();
            if (pods.len(), new) == (count, count) {
                Ok(pods)
            } else {
                Err(format!("{new} of {}", pods.len()))
            }
        },
    )
    .await
    .unwrap()
}

/// Deletes the only Pod and waits until another one serves; the new one.
pub async fn replaced(space: &Space, name: &str) -> Pod {
    let old = pod(space, name).await;
    space
        .api::<Pod>()
        .delete(&old.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    testkit::until(format!("another Pod of {name} is ready"), PATIENCE, async || {
        let pods = pods(space, name).await;
        pods.into_iter()
            .find(|pod| pod.metadata.uid != old.metadata.uid && is_ready(pod))
    })
    .await
    .unwrap()
}

/// What a container of the Pod wrote.
pub async fn logs(space: &Space, pod: &Pod, container: &str) -> String {
    let (worked, text) = space.kubectl(&["logs", &pod.name_any(), "-c", container]).await;
    assert!(worked, "{text}");
    text
}

/// Merges into the spec of a resource.
pub async fn edit<K>(space: &Space, name: &str, spec: Value)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({ "spec": spec }));
    space
        .api::<K>()
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// [`edit`] of a model.
pub async fn edit_model(space: &Space, name: &str, spec: Value) {
    edit::<LLMModel>(space, name, spec).await;
}

/// [`edit`] of a deployment.
pub async fn edit_deployment(space: &Space, name: &str, spec: Value) {
    edit::<LLMDeployment>(space, name, spec).await;
}
