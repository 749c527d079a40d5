//! The GPUs of a cluster decide where nobody says which: chosen once, kept while nodes join and go, and woken by nodes that come.

use std::time::Duration;

use api::ai_example_com::v1::LLMModel;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::api::ListParams;
use serde_json::{Value, json};
use testkit::{
    Cluster, NodeOptions, NodeSpec,
    node::{GpuModel, Speed},
};
use tokio::sync::OnceCell;

use crate::{
    common::{Operator, Space, install, operator_access, start_operator},
    seen::{edit, kubectl, resource, wait_reason, wait_state, wait_status},
};

static CLUSTER: OnceCell<(Cluster, Operator)> = OnceCell::const_new();
const KIND: &str = "llmmodels.ai.example.com";

/// A cluster of its own, without a GPU at first.
async fn cluster() -> &'static Cluster {
    let (cluster, _) = CLUSTER
        .get_or_init(|| async {
            let options = NodeOptions {
                speed: Speed::loading(1000.0),
                ..NodeOptions::default()
            };
            let cluster = Cluster::builder()
                .node_options(options)
                .node(NodeSpec::cpu("cpu"))
                .start()
                .await
                .unwrap();
            install(&cluster, true).await;
            let access = operator_access(&cluster).await;
            let operator = start_operator(&access, "nodes", &["--leader-elect", "false"]).await;
            (cluster, operator)
        })
        .await;
    cluster
}

fn h200(name: &str) -> NodeSpec {
    NodeSpec::gpus(name, GpuModel::new("NVIDIA-H200", 143_771, "hopper", (9, 0)), 8)
}

async fn model(space: &Space, name: &str, spec: Value) {
    space.apply(&resource("LLMModel", name, spec)).await;
}

async fn gpu(space: &Space, name: &str) -> String {
    let status = wait_state::<LLMModel>(space, name, "Ready").await;
    status["gpu"].as_str().unwrap().to_owned()
}

async fn template(space: &Space, name: &str) -> Value {
    let deployment = space.api::<Deployment>().get(name).await.unwrap();
    serde_json::to_value(deployment.spec.unwrap().template).unwrap()
}

/// What Kubernetes' collector of Pods does in its next minute.
async fn lost(space: &Space, name: &str) {
    let selector = format!("llm-operator.io/name={name}");
    kubectl(
        space,
        &["delete", "pods", "-l", &selector, "--force", "--grace-period=0"],
    )
    .await;
}

#[tokio::test]
async fn nodes_join_and_go() {
    let cluster = cluster().await;
    let nodes = cluster.nodes().unwrap();
    let space = Space::of(cluster, "nodes").await;
    model(&space, "first", json!({"modelName": "qwen2.5-0.5b"})).await;
    model(
        &space,
        "typed",
        json!({"modelName": "qwen2.5-0.5b", "gpuType": "A100"}),
    )
    .await;
    let said = wait_reason::<LLMModel>(&space, "first", "NoSuchNode").await;
    assert!(
        said.contains("no node has a GPU") && said.contains("device plugin"),
        "{said}"
    );
    wait_reason::<LLMModel>(&space, "typed", "NoSuchNode").await;

    // The first node wakes who waits for any.
    nodes.add(NodeSpec::h100("h100", 8)).await.unwrap();
    assert_eq!(gpu(&space, "first").await, "1 x H100");
    let said = wait_reason::<LLMModel>(&space, "typed", "NoSuchNode").await;
    assert!(said.contains("a node with A100"), "{said}");
    model(&space, "large", json!({"modelName": "deepseek-r1"})).await;
    let said = wait_reason::<LLMModel>(&space, "large", "DoesNotFit").await;
    assert!(said.contains("8 x H100"), "{said}");

    // A cheaper one joins: new resources take it, the old one stays where it is, also when it grows.
    let before = template(&space, "first").await;
    nodes.add(NodeSpec::l4("l4", 4)).await.unwrap();
    model(&space, "second", json!({"modelName": "qwen2.5-0.5b"})).await;
    assert_eq!(gpu(&space, "second").await, "1 x L4");
    edit(&space, KIND, "first", json!({"replicas": 2})).await;
    let status = wait_state::<LLMModel>(&space, "first", "Ready").await;
    assert_eq!(
        (&status["gpu"], &status["readyReplicas"]),
        (&json!("1 x H100"), &json!(2))
    );
    assert_eq!(template(&space, "first").await, before, "nothing is rolled");

    // Who asks for something else is sized anew, with what there is now.
    edit(&space, KIND, "first", json!({"serving": {"contextLength": 8192}})).await;
    assert_eq!(gpu(&space, "first").await, "1 x L4");
    let on = |pods: Vec<Pod>| {
        pods.into_iter()
            .all(|pod| pod.spec.unwrap().node_name.as_deref() == Some("l4"))
    };
    let pods = space
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items;
    assert!(on(pods
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect()));

    // Types that were missing come.
    nodes.add(NodeSpec::a100_80("a100", 8)).await.unwrap();
    assert_eq!(gpu(&space, "typed").await, "1 x A100");
    nodes.add(h200("h200")).await.unwrap();
    assert_eq!(gpu(&space, "large").await, "8 x H200");

    // The type that was chosen goes for good: another one takes over.
    let chosen = template(&space, "second").await;
    nodes.remove("l4").await.unwrap();
    lost(&space, "second").await;
    wait_status::<LLMModel>(&space, "second", "elsewhere", |status| {
        status["gpu"] == "1 x H100"
    })
    .await;
    wait_state::<LLMModel>(&space, "second", "Ready").await;
    assert_ne!(template(&space, "second").await, chosen);

    // A type that is gone, where somebody asked for it: told, and what is made stays.
    let typed = template(&space, "typed").await;
    nodes.remove("a100").await.unwrap();
    lost(&space, "typed").await;
    wait_reason::<LLMModel>(&space, "typed", "NoSuchNode").await;
    assert_eq!(template(&space, "typed").await, typed);
    nodes.add(NodeSpec::a100_80("a100", 8)).await.unwrap();
    tokio::time::timeout(Duration::from_mins(2), gpu(&space, "typed"))
        .await
        .unwrap();
    assert_eq!(template(&space, "typed").await, typed);
}
