//! The cluster of these tests, and a model of each engine.

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::ListParams;
use serde_json::{Value, json};
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};

use crate::common::{self, Bed, Space};

/// One node with GPUs; models load a hundred times as fast.
pub async fn bed() -> &'static Bed {
    common::bed_with(|| {
        Cluster::builder()
            .node(NodeSpec::h100("gpu-0", 8))
            .node_options(NodeOptions {
                speed: Speed::loading(100.0),
                ..NodeOptions::default()
            })
    })
    .await
}

/// The smallest model of an engine.
pub fn model(engine: &str) -> Value {
    match engine {
        "vllm" => json!({
            "modelName": "qwen", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm", "gpu": {},
            "source": {"uri": "hf://Qwen/Qwen2.5-0.5B-Instruct"}, "resources": {"memory": "16Gi"},
        }),
        "ollama" => json!({
            "modelName": "tinyllama", "image": "ollama/ollama:latest", "engine": "ollama",
            "source": {"uri": "ollama://tinyllama"}, "resources": {"memory": "3Gi"},
        }),
        _ => json!({"modelName": "small", "image": "your-registry/gpt-small:v1"}),
    }
}

/// Applies a model and a deployment of it, with more of either spec.
pub async fn deploy(space: &Space, name: &str, engine: &str, of_model: Value, of_deployment: Value) {
    let objects = [
        ("LLMModel", with(model(engine), of_model)),
        (
            "LLMDeployment",
            with(json!({"modelRef": name, "replicas": 1}), of_deployment),
        ),
    ];
    for (kind, spec) in objects {
        let object = json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        space.apply(&object.to_string()).await;
    }
}

fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    for (key, value) in more {
        base[key] = value;
    }
    base
}

/// The first Pod of a deployment.
pub async fn pod(space: &Space, name: &str) -> Pod {
    let selector = ListParams::default().labels(&format!("llm-operator.io/name={name}"));
    let list = space.api::<Pod>().list(&selector).await.unwrap();
    list.items.into_iter().next().unwrap()
}

/// All containers of a Pod, loaders among them.
pub fn containers(pod: &Pod) -> Vec<Container> {
    let spec = pod.spec.clone().unwrap();
    spec.init_containers
        .into_iter()
        .flatten()
        .chain(spec.containers)
        .collect()
}
