//! Several replicas on one claim: what its access mode allows is done, the rest is refused by name.

use serde_json::json;

use crate::place::{bed, deploy, edit_deployment, edit_model, generic, nodes_of, pods, serving_from};

/// `ReadWriteOnce`: replicas meet on one node, through a rolling update too.
/// Promises: S2-22
#[tokio::test]
async fn one_node_shares_a_claim() {
    let space = bed().await.space("once").await;
    let model = generic(json!({"storage": {"size": "1Gi"}}));
    deploy(&space, "chat", &model, json!({"replicas": 3})).await;
    space.wait_state("chat", "Ready").await;
    let nodes = nodes_of(&pods(&space, "chat").await);
    assert!(
        nodes.len() == 3 && nodes.iter().all(|node| *node == nodes[0]),
        "{nodes:?}"
    );
    edit_model(&space, "chat", json!({"image": "your-registry/gpt-small:v2"})).await;
    let updated = |status: &api::llm_example_com::v1alpha1::LLMDeploymentStatus| {
        status.image.as_deref() == Some("your-registry/gpt-small:v2")
            && status.replicas == Some(3)
            && status.ready_replicas == Some(3)
    };
    let again = nodes_of(&serving_from(&space, "chat", "your-registry/gpt-small:v2", 3).await);
    space.wait_status("chat", "updated", updated).await;
    assert!(again.iter().all(|node| *node == nodes[0]), "{nodes:?} {again:?}");
}

/// `ReadWriteMany`: replicas spread over nodes.
/// Promises: S2-22
#[tokio::test]
async fn many_nodes_share_a_claim() {
    let space = bed().await.space("many").await;
    let storage = json!({"size": "1Gi", "storageClassName": "shared", "accessMode": "ReadWriteMany"});
    let spread = json!({
        "replicas": 3,
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}],
    });
    deploy(&space, "chat", &generic(json!({"storage": storage})), spread).await;
    space.wait_state("chat", "Ready").await;
    let mut nodes = nodes_of(&pods(&space, "chat").await);
    nodes.dedup();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
}

/// `ReadWriteOncePod`: two replicas are refused with the field, one serves, and its successor comes after it.
/// Promises: S2-22
#[tokio::test]
async fn a_claim_for_one_pod_has_one_replica() {
    let space = bed().await.space("pod").await;
    let storage = json!({"size": "1Gi", "accessMode": "ReadWriteOncePod"});
    deploy(
        &space,
        "chat",
        &generic(json!({"storage": storage})),
        json!({"replicas": 2}),
    )
    .await;
    let message = space.wait_reason("chat", "InvalidSpec").await;
    assert!(
        message
            .contains("LLMDeployment chat spec.replicas: 2 replicas cannot share a ReadWriteOncePod claim")
            && message.contains("use 1 replica, or storage.accessMode ReadWriteMany"),
        "{message}"
    );
    assert!(pods(&space, "chat").await.is_empty());
    edit_deployment(&space, "chat", json!({"replicas": 1})).await;
    space.wait_state("chat", "Ready").await;
    edit_model(&space, "chat", json!({"image": "your-registry/gpt-small:v2"})).await;
    let updated = |status: &api::llm_example_com::v1alpha1::LLMDeploymentStatus| {
        status.image.as_deref() == Some("your-registry/gpt-small:v2") && status.ready_replicas == Some(1)
    };
    serving_from(&space, "chat", "your-registry/gpt-small:v2", 1).await;
    space.wait_status("chat", "updated", updated).await;
}
