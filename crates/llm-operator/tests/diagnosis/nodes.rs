//! Nodes that fail under a Pod.

use api::shared::State;
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use crate::{
    case::{Case, bed, faults, generic_on, gpu_node, nodes},
    common::PATIENCE,
};

/// A node that says it is not ready, and one that says nothing any more.
#[tokio::test]
async fn lost_nodes() {
    let bed = bed().await;
    let space = bed.space("lost").await;
    for (node, product) in [("sick", "TEST-SICK"), ("silent", "TEST-SILENT")] {
        nodes(bed).add(gpu_node(node, product, 81_559, 1)).await.unwrap();
    }
    let sick = Case::deploy(&space, "on-sick", generic_on("TEST-SICK", 1), json!({})).await;
    let silent = Case::deploy(&space, "on-silent", generic_on("TEST-SILENT", 1), json!({})).await;
    sick.healed().await;
    silent.healed().await;
    // The control plane leaves Pods ready whose kubelet still reports them so; with the runtime their probes fail too.
    faults(bed).node_not_ready("sick", Some("container runtime is down"));
    faults(bed).fail_readiness(&sick.target());
    faults(bed).cut_off("silent", true);
    for (case, node) in [(&sick, "sick"), (&silent, "silent")] {
        let on = format!("is on node {node}, which is not ready");
        case.blocked(
            "NodeLost",
            &["0 of 1 replicas serve", &on, "Repair or remove the node"],
        )
        .await;
        case.told_once("NodeLost").await;
    }
    faults(bed).node_not_ready("sick", None);
    faults(bed).heal(&sick.target());
    faults(bed).cut_off("silent", false);
    sick.healed().await;
    silent.healed().await;
}

/// The disk of the only node with such GPUs fills up: the Pod is evicted and its successor has nowhere to go.
#[tokio::test]
async fn eviction() {
    let bed = bed().await;
    let space = bed.space("evicted").await;
    nodes(bed)
        .add(gpu_node("brimful", "TEST-DISK", 81_559, 1))
        .await
        .unwrap();
    let case = Case::deploy(&space, "pushed-out", generic_on("TEST-DISK", 1), json!({})).await;
    case.healed().await;
    faults(bed).disk_pressure("brimful", true);
    let api = kube::Api::<Node>::all(space.client.clone());
    testkit::until("the taint of disk pressure", PATIENCE, async || {
        let node = api.get("brimful").await.map_err(|error| error.to_string())?;
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        let tainted = taints
            .iter()
            .any(|taint| taint.key == "node.kubernetes.io/disk-pressure");
        tainted.then_some(()).ok_or(format!("{taints:?}"))
    })
    .await
    .unwrap();
    assert_eq!(faults(bed).evict(&case.target()), 1);
    case.told(
        "DiskPressure",
        State::Blocked,
        &[
            "0 of 1 replicas serve",
            "Pod pushed-out-",
            "1 such GPU exists, on node brimful, which is short of disk",
            "Free disk there, or add a node",
        ],
    )
    .await;
    faults(bed).disk_pressure("brimful", false);
    case.healed().await;
}
