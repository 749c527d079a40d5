//! What is not this resource's, or cannot be as it must: left as it is, and told.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    New, cluster,
    common::Space,
    old::{made, made_as_is, manifest, objects},
    seen::{is_managed, running, wait_word},
};

/// A Service that nobody owns is in the way: it is not touched, this is told, and no GPU is taken for Pods that nobody
/// would reach.
#[tokio::test]
async fn a_service_of_nobody_is_left_alone() {
    let space = Space::of(cluster().await, "nobody").await;
    space.apply(&manifest("vllm.yaml", &space)).await;
    let before = made_as_is(&space, object("Service")).await;
    let _new = New::start("nobody", &[&space.namespace]).await;
    wait_refused(&space, "Service mistral").await;
    let now: Service = space.api().get("mistral").await.unwrap();
    assert_eq!(now.metadata.resource_version, before.metadata.resource_version);
    assert!(
        space
            .api::<Deployment>()
            .get_opt("mistral")
            .await
            .unwrap()
            .is_none()
    );
}

/// A Deployment that belongs to something else goes on with its Pods.
#[tokio::test]
async fn a_deployment_of_another_owner_is_left_alone() {
    let space = Space::of(cluster().await, "owner").await;
    space.apply(&manifest("vllm.yaml", &space)).await;
    space
        .apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: somebody}\n")
        .await;
    let owner: ConfigMap = space.api().get("somebody").await.unwrap();
    let mut theirs = object("Deployment");
    theirs["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "somebody",
        "uid": owner.metadata.uid, "controller": true}]);
    made_as_is(&space, theirs).await;
    let before = running(&space, "mistral").await;
    let _new = New::start("owner", &[&space.namespace]).await;
    wait_refused(&space, "Deployment mistral").await;
    assert_eq!(running(&space, "mistral").await, before);
    let now: Deployment = space.api().get("mistral").await.unwrap();
    assert!(!is_managed(&now), "{now:?}");
    let managers = now
        .managed_fields()
        .iter()
        .filter_map(|entry| entry.manager.as_deref());
    assert!(
        managers
            .into_iter()
            .all(|manager| !manager.starts_with("llm-operator"))
    );
}

fn object(kind: &str) -> Value {
    let mut objects = objects("vllm.yaml").into_iter();
    objects.find(|one| one["kind"] == kind).unwrap()
}

async fn wait_refused(space: &Space, what: &str) {
    let status = wait_word(space, "mistral", "Failed").await;
    assert_eq!(status.reason.as_deref(), Some("NameTaken"), "{status:?}");
    let error = status.err_msg.unwrap();
    assert!(error.contains(what), "{error}");
}

/// A Deployment of this resource with another selector, which nobody can change: it goes on with its Pods, and the
/// sentence says what to do.
#[tokio::test]
async fn a_selector_that_cannot_change_is_told_and_pods_go_on() {
    let space = Space::of(cluster().await, "selector").await;
    space.apply(&manifest("vllm.yaml", &space)).await;
    for mut object in objects("vllm.yaml") {
        if object["kind"] == "Deployment" {
            let labels = json!({"mlcontroller.premlabs.io/ai-deployment": "older"});
            object["spec"]["selector"]["matchLabels"] = labels.clone();
            object["spec"]["template"]["metadata"]["labels"] = labels;
        }
        made(&space, object).await;
    }
    let before = running(&space, "mistral").await;
    let _new = New::start("selector", &[&space.namespace]).await;
    let status = wait_word(&space, "mistral", "Failed").await;
    assert_eq!(status.reason.as_deref(), Some("Immutable"), "{status:?}");
    let error = status.err_msg.unwrap();
    assert!(
        error.contains("Deployment mistral") && error.contains("delete"),
        "{error}"
    );
    assert_eq!(running(&space, "mistral").await, before);

    // As the sentence says: without the Deployment there is a new one, and it serves.
    space.delete::<Deployment>("mistral").await;
    wait_word(&space, "mistral", "Ready").await;
}
