//! What may be changed later, and what may not.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::desk::{Wrong, api, apply, check, desk, model, wrong};

/// A claim keeps its class and its mode and never shrinks; a model that would need another one is refused at once,
/// not by a claim that cannot follow.
#[tokio::test]
async fn what_a_claim_cannot_change_the_model_cannot_either() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    let name = "grows";
    let storage = |more: &Value| model(&json!({ "storage": more }));
    let before = json!({"size": "10Gi", "storageClassName": "fast"});
    apply(&client, "LLMModel", name, &storage(&before)).await.unwrap();
    let table: Vec<Wrong> = vec![
        wrong(
            json!({"size": "10Gi", "storageClassName": "slow"}),
            "spec.storage",
            "storageClassName cannot be changed",
        ),
        wrong(
            json!({"size": "10Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany"}),
            "spec.storage",
            "accessMode cannot be changed",
        ),
        wrong(
            json!({"size": "9Gi", "storageClassName": "fast"}),
            "spec.storage",
            "size can grow but not shrink",
        ),
        wrong(
            json!({"size": 1_000_000, "storageClassName": "fast"}),
            "spec.storage",
            "size can grow but not shrink",
        ),
    ];
    let mut problems = Vec::new();
    for row in &table {
        let refused = apply(&client, "LLMModel", name, &storage(&row.spec)).await;
        let status = refused
            .err()
            .unwrap_or_else(|| panic!("{} was accepted", row.spec));
        check(&status, row, &mut problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for allowed in [
        json!({"size": "10240Mi", "storageClassName": "fast", "accessMode": "ReadWriteOnce"}),
        json!({"size": "11Gi", "storageClassName": "fast"}),
        json!({"existingClaim": "weights"}),
    ] {
        apply(&client, "LLMModel", name, &storage(&allowed))
            .await
            .unwrap_or_else(|status| panic!("{allowed}: {}", status.message));
    }
    api(&client, "LLMModel")
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
}

/// `/scale` keeps the rule of the spec: replicas do not go below zero, and the number arrives.
/// Promises: S2-7
#[tokio::test]
async fn scale_writes_replicas() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    let spec = crate::desk::deployment(&json!({}));
    apply(&client, "LLMDeployment", "scales", &spec).await.unwrap();
    let api = api(&client, "LLMDeployment");
    let to = |replicas: i32| Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch_scale("scales", &PatchParams::default(), &to(3))
        .await
        .unwrap();
    assert_eq!(api.get("scales").await.unwrap().data["spec"]["replicas"], 3);
    let refused = api
        .patch_scale("scales", &PatchParams::default(), &to(-1))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("replicas"), "{refused}");
    api.delete("scales", &DeleteParams::default()).await.unwrap();
}
