//! What is made for a `ModelDeployment`, changed or deleted by hand.

use api::ai_example_com::v1::ModelDeployment;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{ConfigMap, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    bed,
    common::Space,
    seen::{kubectl, resource, small_set, wait_state},
};

/// What somebody asked for; the autoscaler's replicas are not ours.
fn content(object: &impl Serialize) -> Value {
    let tree = serde_json::to_value(object).unwrap();
    let metadata = &tree["metadata"];
    json!({"labels": metadata["labels"], "owners": metadata["ownerReferences"], "spec": tree["spec"], "data": tree["data"]})
}

/// Edits, then deletes; each is undone.
async fn is_repaired<K>(space: &Space, name: &str, patch: Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    // The autoscaler comes when the API server reaches the metrics API, be it after Ready.
    let before: K = space.wait("made", name, |_| true).await;
    let wanted = content(&before);
    let (kind, text) = (K::kind(&()).to_lowercase(), patch.to_string());
    kubectl(space, &["patch", &kind, name, "--type=merge", "-p", &text]).await;
    let repaired = space
        .wait::<K>(&format!("repaired after {text}"), name, |now| {
            content(now) == wanted && now.meta().resource_version != before.meta().resource_version
        })
        .await;
    assert_eq!(repaired.uid(), before.uid(), "repaired in place");
    kubectl(space, &["delete", &kind, name, "--wait=false"]).await;
    space
        .wait::<K>("made again", name, |now| {
            let shape = |value: &Value| (value["labels"].clone(), value["owners"].clone());
            now.uid() != before.uid() && shape(&content(now)) == shape(&wanted)
        })
        .await;
}

/// Every kind of child, by an edit and by a deletion.
/// Promises: S3-7, S3-25, S3-30
#[tokio::test]
async fn every_child_is_brought_back() {
    let space = bed().await.space("drift").await;
    let spec = small_set(json!({"replicas": 2, "sla": {"maxLatency": "100ms"}}));
    space.apply(&resource("ModelDeployment", "chat", spec)).await;
    wait_state::<ModelDeployment>(&space, "chat", "Ready").await;
    is_repaired::<ConfigMap>(
        &space,
        "chat-settings",
        json!({"data": {"engine.yaml": "port: 1"}}),
    )
    .await;
    is_repaired::<Service>(&space, "chat", json!({"spec": {"selector": {"app": "other"}}})).await;
    let label = json!({"metadata": {"labels": {"app.kubernetes.io/component": "mine"}}});
    is_repaired::<Service>(&space, "chat-headless", label.clone()).await;
    is_repaired::<HorizontalPodAutoscaler>(&space, "chat", json!({"spec": {"maxReplicas": 99}})).await;
    is_repaired::<NetworkPolicy>(&space, "chat", label).await;
    is_repaired::<PodDisruptionBudget>(&space, "chat", json!({"spec": {"maxUnavailable": 2}})).await;
    let template = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 99}}}});
    is_repaired::<StatefulSet>(&space, "chat", template).await;
    let status = wait_state::<ModelDeployment>(&space, "chat", "Ready").await;
    assert_eq!(status["readyReplicas"], 2);
}
