//! GPUs that do not exist, or that somebody else has.

use std::time::Duration;

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::case::{Case, at_rest, bed, create, generic_on, gpu_node, nodes};

/// No node carries the product, or not as many on one node: the numbers say so, and a new node heals it.
/// Promises: S2-19
#[tokio::test]
async fn no_such_gpu() {
    let bed = bed().await;
    let space = bed.space("absent").await;
    nodes(bed)
        .add(gpu_node("pair", "TEST-PAIR", 81_559, 2))
        .await
        .unwrap();
    let product = Case::deploy(&space, "futuristic", generic_on("B200", 1), json!({})).await;
    let count = Case::deploy(&space, "too-many", generic_on("TEST-PAIR", 4), json!({})).await;
    product
        .blocked(
            "NoSuchGpu",
            &[
                "0 of 1 replicas serve",
                "waits for a node",
                "it needs 1 nvidia.com/gpu (B200)",
                "no node carries such a GPU",
                "Ask for a GPU that exists, or add such a node",
            ],
        )
        .await;
    count
        .blocked(
            "NoSuchGpu",
            &[
                "it needs 4 nvidia.com/gpu (TEST-PAIR)",
                "no node carries more than 2 such GPUs",
                "Lower spec.gpu.count of the LLMModel to 2 or less, or add a larger node",
            ],
        )
        .await;
    at_rest(&[&product, &count], Duration::from_secs(3)).await;
    product.told_once("NoSuchGpu").await;
    count.told_once("NoSuchGpu").await;

    nodes(bed)
        .add(gpu_node("future", "NVIDIA-B200", 183_359, 1))
        .await
        .unwrap();
    nodes(bed)
        .add(gpu_node("quad", "TEST-PAIR", 81_559, 4))
        .await
        .unwrap();
    product.healed().await;
    count.healed().await;
}

/// Who holds the GPUs: by name in the own namespace, as a number elsewhere.
#[tokio::test]
async fn gpus_taken_by_others() {
    let bed = bed().await;
    let (mine, theirs) = (bed.space("mine").await, bed.space("theirs").await);
    nodes(bed)
        .add(gpu_node("crowded", "TEST-TAKEN", 81_559, 5))
        .await
        .unwrap();
    let first = Case::deploy(&mine, "chat-first", generic_on("TEST-TAKEN", 2), json!({})).await;
    let foreign = Case::deploy(&theirs, "very-secret", generic_on("TEST-TAKEN", 1), json!({})).await;
    // A Pod that has nothing to do with this operator.
    let notebook = json!({"spec": {
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/hostname": "crowded"},
        "containers": [{
            "name": "notebook", "image": "your-registry/gpt-small:v1",
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
        }],
    }});
    create::<Pod>(&theirs, "notebook-of-eve", notebook).await;
    first.healed().await;
    foreign.healed().await;
    theirs
        .wait("is placed", "notebook-of-eve", |pod: &Pod| {
            pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
        })
        .await;

    let late = Case::deploy(&mine, "code-late", generic_on("TEST-TAKEN", 2), json!({})).await;
    late.blocked(
        "GpusTaken",
        &[
            "0 of 1 replicas serve",
            "waits for a node: it needs 2 nvidia.com/gpu (TEST-TAKEN)",
            "5 such GPUs exist",
            "2 are taken by llmdeployment chat-first",
            "2 in other namespaces",
            "1 is free, but not 2 on one node",
            "Lower spec.gpu.count of the LLMModel, free some, or add a node",
        ],
    )
    .await;
    at_rest(&[&late], Duration::from_secs(3)).await;
    late.told_once("GpusTaken").await;

    // The numbers follow the cluster, also while nothing happens to the Pod that waits.
    let third = Case::deploy(&theirs, "more-secret", generic_on("TEST-TAKEN", 1), json!({})).await;
    third.healed().await;
    let all = ["3 in other namespaces"];
    let message = late.blocked("GpusTaken", &all).await;
    assert!(!message.contains("free,"), "nothing is free: {message}");
    late.told_once("GpusTaken").await;

    theirs.delete::<LLMDeployment>("very-secret").await;
    theirs.delete::<Pod>("notebook-of-eve").await;
    late.healed().await;
}

/// Enough GPUs are free, but on several nodes.
#[tokio::test]
async fn fragmentation() {
    let bed = bed().await;
    let space = bed.space("fragments").await;
    let mut holders = Vec::new();
    for (node, holder) in [("half-a", "holds-a"), ("half-b", "holds-b")] {
        nodes(bed)
            .add(gpu_node(node, "TEST-HALVES", 81_559, 2))
            .await
            .unwrap();
        let pinned = json!({"nodeSelector": {"kubernetes.io/hostname": node}});
        holders.push(Case::deploy(&space, holder, generic_on("TEST-HALVES", 1), pinned).await);
    }
    for holder in &holders {
        holder.healed().await;
    }
    let wide = Case::deploy(&space, "wide", generic_on("TEST-HALVES", 2), json!({})).await;
    wide.blocked(
        "GpusTaken",
        &[
            "it needs 2 nvidia.com/gpu (TEST-HALVES)",
            "4 such GPUs exist",
            "1 is taken by llmdeployment holds-a",
            "1 is taken by llmdeployment holds-b",
            "2 are free, but not 2 on one node",
        ],
    )
    .await;
    at_rest(&[&wide], Duration::from_secs(3)).await;
    wide.told_once("GpusTaken").await;
    space.delete::<LLMDeployment>("holds-a").await;
    wide.healed().await;
}
