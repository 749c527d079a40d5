//! What the document presupposes, present and absent.

use api::infra_example_com::v1::Phase;
use testkit::{Cluster, NodeSpec};

use crate::{
    common::{Space, install as install_operator, operator_access, start_operator},
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
