//! The documents give three kinds the same name: whoever has it keeps it, the others say who, and it is handed on.

use api::{
    ai_example_com::v1::{LLMModel, ModelDeployment},
    llm_example_com::v1alpha1::LLMDeployment,
};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Service,
};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::{
    bed,
    seen::{names, resource, small, small_set, wait_reason, wait_state},
};

async fn owner(services: &Api<Service>, name: &str) -> String {
    services.get(name).await.unwrap().owner_references()[0]
        .kind
        .clone()
}

/// An LLMModel, a ModelDeployment and an LLMDeployment of one name.
#[tokio::test]
async fn the_name_is_handed_on() {
    let space = bed().await.space("names").await;
    space
        .apply(&resource("LLMModel", "llama-3-70b", small(json!({}))))
        .await;
    wait_state::<LLMModel>(&space, "llama-3-70b", "Ready").await;
    space
        .apply(&resource("ModelDeployment", "llama-3-70b", small_set(json!({}))))
        .await;
    let said = wait_reason::<ModelDeployment>(&space, "llama-3-70b", "NameTaken").await;
    assert!(said.contains("LLMModel llama-3-70b"), "{said}");
    let status = space
        .api::<ModelDeployment>()
        .get("llama-3-70b")
        .await
        .unwrap()
        .status
        .unwrap();
    assert_eq!(status.state.map(api::shared::State::as_str), Some("Blocked"));
    let theirs = r#"{"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "small"},
        "spec": {"modelName": "Small", "image": "your-registry/gpt-small:v1", "resources": {"cpu": "10m", "memory": "64Mi"}}}"#;
    space.apply(theirs).await;
    let theirs = r#"{"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": {"name": "llama-3-70b"},
        "spec": {"modelRef": "small", "replicas": 1}}"#;
    space.apply(theirs).await;
    let said = space.wait_reason("llama-3-70b", "NameTaken").await;
    assert!(said.contains("LLMModel llama-3-70b"), "{said}");
    assert_eq!(names::<StatefulSet>(&space).await, Vec::<String>::new());
    let services = space.api::<Service>();
    assert_eq!(owner(&services, "llama-3-70b").await, "LLMModel");
    let ready = wait_state::<LLMModel>(&space, "llama-3-70b", "Ready").await;
    assert_eq!(ready["readyReplicas"], 1, "nobody disturbs the first");

    space.delete::<LLMModel>("llama-3-70b").await;
    // One of the two gets it, completely.
    let winner = testkit::until("the name is handed on", crate::common::PATIENCE, async || {
        let set = space
            .api::<ModelDeployment>()
            .get("llama-3-70b")
            .await
            .unwrap()
            .status;
        let other = space
            .api::<LLMDeployment>()
            .get("llama-3-70b")
            .await
            .unwrap()
            .status;
        let set = set.and_then(|status| status.reason).unwrap_or_default();
        let other = other.and_then(|status| status.reason).unwrap_or_default();
        match (set.as_str(), other.as_str()) {
            ("NameTaken", "AllReplicasReady") => Ok("LLMDeployment"),
            ("AllReplicasReady", "NameTaken") => Ok("ModelDeployment"),
            _ => Err(format!("{set} {other}")),
        }
    })
    .await
    .unwrap();
    assert_eq!(owner(&services, "llama-3-70b").await, winner);
    if winner == "ModelDeployment" {
        space.delete::<ModelDeployment>("llama-3-70b").await;
        space.wait_state("llama-3-70b", "Ready").await;
        space.wait_gone::<StatefulSet>("llama-3-70b").await;
    } else {
        space.delete::<LLMDeployment>("llama-3-70b").await;
        wait_state::<ModelDeployment>(&space, "llama-3-70b", "Ready").await;
        space.wait_gone::<Deployment>("llama-3-70b").await;
    }
}
