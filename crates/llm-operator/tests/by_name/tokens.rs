//! Tokens of gated models: by convention, by another Secret, by a variable; and what happens while there is none.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::{
    bed,
    seen::{engine, kubectl, made, resource, wait_reason, wait_state},
};

/// A Secret without the key, or with nothing in it, is no token; the one that comes later wakes who waits.
#[tokio::test]
async fn a_secret_with_nothing_in_it_is_no_token() {
    let space = bed().await.space("tokens").await;
    kubectl(
        &space,
        &["create", "secret", "generic", "hf-token", "--from-literal=token="],
    )
    .await;
    let spec = json!({"model": "llama-3-8b", "gpuType": "H100"});
    space.apply(&resource("ModelDeployment", "gated", spec)).await;
    wait_reason::<ModelDeployment>(&space, "gated", "TokenMissing").await;

    let token = |data| json!({ "stringData": data }).to_string();
    let other = token(json!({"other": "hf_x"}));
    kubectl(
        &space,
        &["patch", "secret", "hf-token", "--type=merge", "-p", &other],
    )
    .await;
    kubectl(&space, &["delete", "secret", "hf-token"]).await;
    kubectl(
        &space,
        &[
            "create",
            "secret",
            "generic",
            "hf-token",
            "--from-literal=other=hf_x",
        ],
    )
    .await;
    // A resource that is new sees the same.
    let spec = json!({"modelName": "llama-3-8b", "gpuType": "H100"});
    space.apply(&resource("LLMModel", "also", spec)).await;
    wait_reason::<LLMModel>(&space, "also", "TokenMissing").await;
    assert_eq!(made(&space).await, Vec::<String>::new());

    let good = token(json!({"token": "hf_x"}));
    kubectl(
        &space,
        &["patch", "secret", "hf-token", "--type=merge", "-p", &good],
    )
    .await;
    wait_state::<LLMModel>(&space, "also", "Ready").await;
    wait_state::<ModelDeployment>(&space, "gated", "Ready").await;
    let deployment = space.api::<Deployment>().get("also").await.unwrap();
    let env = engine(&deployment)["env"].clone();
    let token = env
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "HF_TOKEN");
    let from = &token.unwrap()["valueFrom"]["secretKeyRef"];
    assert_eq!(*from, json!({"name": "hf-token", "key": "token"}));
    // Tokens do not stand in what everybody can read.
    let all = kubectl(
        &space,
        &["get", "deployments,statefulsets,configmaps,pods", "-o", "yaml"],
    )
    .await;
    assert!(!all.contains("hf_x"));

    // The token goes: what runs goes on, and it is told.
    kubectl(&space, &["delete", "secret", "hf-token"]).await;
    wait_reason::<LLMModel>(&space, "also", "TokenMissing").await;
    let serving = space.api::<LLMModel>().get("also").await.unwrap().status.unwrap();
    assert_eq!(serving.ready_replicas, Some(1));
}

/// Another Secret is told by the Pod, since the operator may not see it; with the Secret it serves. A variable of one's own does as well.
#[tokio::test]
async fn another_secret_and_a_variable() {
    let space = bed().await.space("own-token").await;
    let spec = json!({"modelName": "llama-3-8b", "gpuType": "H100", "serving": {"tokenSecret": "my-token"}});
    space.apply(&resource("LLMModel", "secret", spec)).await;
    let env = json!([{"name": "HF_TOKEN", "value": "hf_mine"}]);
    let spec = json!({"modelName": "llama-3-8b", "gpuType": "H100", "serving": {"env": env}});
    space.apply(&resource("LLMModel", "variable", spec)).await;
    wait_state::<LLMModel>(&space, "variable", "Ready").await;
    let deployment = space.api::<Deployment>().get("variable").await.unwrap();
    let env = engine(&deployment)["env"].clone();
    let tokens = env
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["name"] == "HF_TOKEN");
    assert_eq!(tokens.count(), 1, "{env}");

    let said = crate::seen::wait_status::<LLMModel>(&space, "secret", "told by its Pod", |status| {
        status["state"] == "Blocked"
    })
    .await;
    let text = said.to_string();
    assert!(text.contains("my-token"), "{text}");
    kubectl(
        &space,
        &[
            "create",
            "secret",
            "generic",
            "my-token",
            "--from-literal=token=hf_x",
        ],
    )
    .await;
    wait_state::<LLMModel>(&space, "secret", "Ready").await;
}
