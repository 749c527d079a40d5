//! What the document presupposes, present and absent.

use api::infra_example_com::v1::Phase;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use serde_json::json;
use testkit::{Cluster, NodeSpec, plane::Program};

use crate::{
    common::{PATIENCE, Space, install as install_operator, operator_access, start_operator},
    scene::bed,
    seen::{install, wait_phase, wait_reason},
};

/// In the default container, without naming it, with the model that is there.
/// Promises: S0-29
#[tokio::test]
async fn ollama_runs_in_the_pod() {
    let bed = bed().await;
    let space = bed.space("exec").await;
    space
        .apply(&install("talk", "gpu-llm-pod", "  cpuCores: 100m"))
        .await;
    wait_phase(&space, "talk", Phase::Ready).await;
    let nodes = bed.cluster.nodes().unwrap();
    let command = ["ollama", "run", "tinyllama", "Say hello."];
    let (code, said) = nodes
        .exec(&space.namespace, "gpu-llm-pod", "ollama", &command)
        .await
        .unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(!said.trim().is_empty());
    assert_eq!(
        nodes.journal().of(&space.namespace).downloads("tinyllama:latest"),
        1,
        "it was there"
    );
}

/// Without NVIDIA's device plugin no node offers a GPU: the status says so, and says what to do; on CPUs it runs.
/// Promises: S0-36
#[tokio::test]
async fn without_a_device_plugin() {
    let cluster: &'static Cluster = Box::leak(Box::new(
        Cluster::builder()
            .node(NodeSpec::cpu("cpu-0"))
            .start()
            .await
            .unwrap(),
    ));
    install_operator(cluster, true).await;
    let access = operator_access(cluster).await;
    let _operator = start_operator(&access, "without-gpus", &["--leader-elect", "false"]).await;
    let space = Space::of(cluster, "no-plugin").await;
    space
        .apply(&install("talk", "gpu-llm-pod", "  cpuCores: 100m"))
        .await;
    let status = wait_reason(&space, "talk", "NoSuchGpu").await;
    assert_eq!(
        (status.phase, status.gpu_assigned),
        (Some(Phase::Pending), Some(false))
    );
    let message = status.message.unwrap_or_default();
    assert!(
        message.contains("nvidia.com/gpu") && message.contains("gpu-llm-pod"),
        "{message}"
    );

    space
        .apply(&install("talk", "gpu-llm-pod", "  cpuCores: 100m\n  gpuCount: 0"))
        .await;
    let status = wait_phase(&space, "talk", Phase::Ready).await;
    assert_eq!(status.gpu_assigned, Some(false));
}

/// Kubernetes makes the account that Pods run as a moment after their namespace. Until then the status says what is waited
/// for, and `Failed` is no word for it. On a cluster of its own: the paused controllers are those of all namespaces.
/// Promises: S0-20, S0-21
#[tokio::test]
async fn a_namespace_that_has_no_account_yet() {
    let cluster: &'static Cluster = Box::leak(Box::new(
        Cluster::builder()
            .node(NodeSpec::h100("gpu-0", 8))
            .start()
            .await
            .unwrap(),
    ));
    install_operator(cluster, true).await;
    let access = operator_access(cluster).await;
    let _operator = start_operator(&access, "account", &["--leader-elect", "false"]).await;
    let space = Space::of(cluster, "account").await;
    cluster.pause(Program::ControllerManager).unwrap();
    space.delete::<ServiceAccount>("default").await;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "refused"}, "spec": {"containers": [{"name": "one", "image": "one"}]}
    }))
    .unwrap();
    let try_only = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    testkit::until("the API server refuses Pods", PATIENCE, async || {
        space.api::<Pod>().create(&try_only, &pod).await.err()
    })
    .await
    .unwrap();
    space.apply(&install("demo", "llm", "")).await;
    let status = wait_reason(&space, "demo", "ApiUnavailable").await;
    assert_eq!(status.phase, Some(Phase::InProgress));
    let message = status.message.unwrap_or_default();
    assert!(message.contains("has no ServiceAccount default yet"), "{message}");
    cluster.resume(Program::ControllerManager).unwrap();
    wait_phase(&space, "demo", Phase::Ready).await;
}
