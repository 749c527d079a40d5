//! "4 A100", "at least 80GB": on a cluster with GPUs of several kinds.

use serde_json::{Value, json};

use crate::place::{bed, deploy, edit_deployment, engine, generic, nodes_of, pods};

fn on(gpu: &Value) -> Value {
    generic(json!({ "gpu": gpu }))
}

/// Count, family and memory decide the nodes, alone and together.
/// Promises: S2-19, S2-20
#[tokio::test]
async fn models_get_the_gpus_they_ask_for() {
    let space = bed().await.space("gpus").await;
    // One after the other, since together they would take each other's room.
    for (name, gpu, allowed) in [
        (
            "four-a100",
            json!({"count": 4, "product": "A100"}),
            &["a100-40", "a100-80"][..],
        ),
        (
            "big",
            json!({"count": 8, "minMemory": "80Gi"}),
            &["a100-80", "h100"],
        ),
        (
            "big-a100",
            json!({"count": 4, "product": "A100", "minMemory": "80Gi"}),
            &["a100-80"],
        ),
        (
            "exact",
            json!({"count": 2, "product": "NVIDIA-A100-SXM4-40GB"}),
            &["a100-40"],
        ),
        ("hopper", json!({"count": 8, "product": "H100"}), &["h100"]),
        (
            "forty",
            json!({"count": 8, "minMemory": "40G"}),
            &["a100-40", "a100-80", "h100"],
        ),
    ] {
        let count = gpu["count"].to_string();
        deploy(&space, name, &on(&gpu), json!({})).await;
        space.wait_state(name, "Ready").await;
        let pods = pods(&space, name).await;
        let nodes = nodes_of(&pods);
        assert!(allowed.contains(&nodes[0].as_str()), "{name} runs on {nodes:?}");
        let limits = engine(&pods[0])
            .resources
            .as_ref()
            .unwrap()
            .limits
            .as_ref()
            .unwrap();
        assert_eq!(limits["nvidia.com/gpu"].0, count, "{name}");
        edit_deployment(&space, name, json!({"replicas": 0})).await;
        space.wait_state(name, "Stopped").await;
    }

    // Sixteen GPUs have 80 GB: four replicas of four fill exactly them, whatever else is free.
    deploy(
        &space,
        "fleet",
        &on(&json!({"count": 4, "minMemory": "80Gi"})),
        json!({"replicas": 4}),
    )
    .await;
    space.wait_state("fleet", "Ready").await;
    let nodes = nodes_of(&pods(&space, "fleet").await);
    assert_eq!(nodes, ["a100-80", "a100-80", "h100", "h100"]);
    edit_deployment(&space, "fleet", json!({"replicas": 5})).await;
    let status = space.wait_state("fleet", "Blocked").await;
    assert_eq!(status.ready_replicas, Some(4));
    assert_eq!(status.gpu.as_deref(), Some("4 x GPU of 80Gi"));
}
