//! Nodes that exist and do not take the Pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use serde_json::{Value, json};
use testkit::NodeSpec;

use crate::case::{Case, at_rest, bed, generic, generic_on, gpu_node, nodes, patch_node, with};

/// A taint on the only node with such GPUs, and a cordon.
#[tokio::test]
async fn taints() {
    let bed = bed().await;
    let space = bed.space("tainted").await;
    let reserved = gpu_node("reserved", "TEST-TAINT", 81_559, 1).taint("dedicated", "research", "NoSchedule");
    nodes(bed).add(reserved).await.unwrap();
    nodes(bed)
        .add(gpu_node("cordoned", "TEST-CORDON", 81_559, 1))
        .await
        .unwrap();
    patch_node(&space, "cordoned", json!({"spec": {"unschedulable": true}})).await;

    let taint = Case::deploy(&space, "unwelcome", generic_on("TEST-TAINT", 1), json!({})).await;
    let cordon = Case::deploy(&space, "shut-out", generic_on("TEST-CORDON", 1), json!({})).await;
    taint
        .blocked(
            "NodeTaints",
            &[
                "waits for a node",
                "1 such GPU exists",
                "tainted with dedicated",
                "Add a toleration for the taint",
            ],
        )
        .await;
    cordon
        .blocked(
            "NodeTaints",
            &["1 such GPU exists, on node cordoned, which is cordoned. Uncordon"],
        )
        .await;
    at_rest(&[&taint, &cordon], Duration::from_secs(3)).await;
    taint.told_once("NodeTaints").await;

    let node: Node = Api::all(space.client.clone()).get("reserved").await.unwrap();
    let taints = node.spec.unwrap().taints.unwrap();
    let kept: Vec<_> = taints
        .into_iter()
        .filter(|taint| taint.key != "dedicated")
        .collect();
    patch_node(&space, "reserved", json!({"spec": {"taints": kept}})).await;
    patch_node(
        &space,
        "cordoned",
        json!({"spec": {"unschedulable": Value::Null}}),
    )
    .await;
    taint.healed().await;
    cordon.healed().await;
}

/// A selector that no node matches; more CPU, more memory than any node has.
#[tokio::test]
async fn selectors_cpu_and_memory() {
    let bed = bed().await;
    let space = bed.space("misfits").await;
    let sized =
        |cpu: &str, memory: &str| with(&generic(), json!({"resources": {"cpu": cpu, "memory": memory}}));
    let selector = Case::deploy(
        &space,
        "picky",
        generic(),
        json!({"nodeSelector": {"example.com/disk": "nvme"}}),
    )
    .await;
    let cpu = Case::deploy(&space, "cpu-eater", sized("900", "1Gi"), json!({})).await;
    let memory = Case::deploy(&space, "memory-eater", sized("1", "16Ti"), json!({})).await;
    selector
        .blocked(
            "NodeSelectorMismatch",
            &[
                "waits for a node: of ",
                "the node selector example.com/disk=nvme",
                "Correct the node selector, or label a node",
            ],
        )
        .await;
    cpu.blocked(
        "InsufficientCpu",
        &[
            "free cpu (the Pod asks for 900)",
            "Lower the CPU request, free CPU, or add a node",
        ],
    )
    .await;
    memory
        .blocked(
            "InsufficientMemory",
            &[
                "free memory (the Pod asks for 16Ti)",
                "Lower the memory request, free memory, or add a node",
            ],
        )
        .await;
    at_rest(&[&selector, &cpu, &memory], Duration::from_secs(3)).await;
    selector.told_once("NodeSelectorMismatch").await;
    cpu.told_once("InsufficientCpu").await;
    memory.told_once("InsufficientMemory").await;

    patch_node(
        &space,
        "cpu-0",
        json!({"metadata": {"labels": {"example.com/disk": "nvme"}}}),
    )
    .await;
    let giant = NodeSpec {
        cpus: 1000,
        memory: 32 << 40,
        ..NodeSpec::cpu("giant")
    };
    nodes(bed).add(giant).await.unwrap();
    for case in [&selector, &cpu, &memory] {
        case.healed().await;
    }
}
