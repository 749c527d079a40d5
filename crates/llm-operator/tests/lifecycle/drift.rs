//! Children changed or deleted by hand, and what others may add to them.

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{PersistentVolumeClaim, Pod, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    common::{PATIENCE, Space, bed},
    kubectl, pods, serving,
};

/// Everything about an object that somebody asks for: its labels and its spec, but for the number of the edit.
fn content<K: Serialize>(object: &K) -> Value {
    let tree = serde_json::to_value(object).unwrap();
    serde_json::json!({"labels": tree["metadata"]["labels"], "owners": tree["metadata"]["ownerReferences"],
        "spec": tree["spec"]})
}

/// Edits the child `chat` of this kind by hand and waits until it is as it was.
async fn is_repaired<K>(space: &Space, kind: &str, patch: Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let before: K = space.api().get("chat").await.unwrap();
    let text = patch.to_string();
    let answer = kubectl(
        space,
        &["patch", kind, "chat", "--type=merge", "-o", "json", "-p", &text],
    )
    .await;
    let edited: K = serde_json::from_str(&answer).unwrap();
    assert_ne!(
        content(&before),
        content(&edited),
        "{kind} {text} changes nothing"
    );
    let wanted = content(&before);
    let after = space
        .wait::<K>(&format!("repaired after {text}"), "chat", |now| {
            content(now) == wanted
        })
        .await;
    assert_eq!(after.uid(), before.uid(), "repaired in place");
}

/// Every kind of child is brought back after an edit by hand.
#[tokio::test]
async fn an_edit_of_a_child_is_undone() {
    let space = serving("drift", 2).await;
    let label = serde_json::json!({"metadata": {"labels": {"app.kubernetes.io/component": "mine"}}});
    for patch in [
        serde_json::json!({"spec": {"replicas": 5}}),
        serde_json::json!({"spec": {"replicas": 0}}),
    ] {
        is_repaired::<Deployment>(&space, "deployment", patch).await;
    }
    let deadline = serde_json::json!({"spec": {"progressDeadlineSeconds": 1}});
    for patch in [deadline, label.clone()] {
        is_repaired::<Deployment>(&space, "deployment", patch).await;
    }
    for patch in [
        serde_json::json!({"spec": {"ports": [{"name": "http", "port": 9999, "targetPort": "http"}]}}),
        serde_json::json!({"spec": {"selector": {"app": "else"}}}),
        serde_json::json!({"spec": {"type": "NodePort"}}),
        label.clone(),
    ] {
        is_repaired::<Service>(&space, "service", patch).await;
    }
    for patch in [
        serde_json::json!({"spec": {"egress": [{}]}}),
        serde_json::json!({"spec": {"ingress": []}}),
        serde_json::json!({"spec": {"policyTypes": ["Ingress"]}}),
        label.clone(),
    ] {
        is_repaired::<NetworkPolicy>(&space, "networkpolicy", patch).await;
    }
    for patch in [serde_json::json!({"spec": {"maxUnavailable": 2}}), label] {
        is_repaired::<PodDisruptionBudget>(&space, "poddisruptionbudget", patch).await;
    }
    // The image of a container in a list that has a key.
    space.wait_state("chat", "Ready").await;
    let child: Deployment = space.api().get("chat").await.unwrap();
    kubectl(
        &space,
        &[
            "set",
            "image",
            "deployment/chat",
            "engine=your-registry/gpt-small:mine",
        ],
    )
    .await;
    space
        .wait::<Deployment>("image repaired", "chat", |now| {
            now.metadata.generation > child.metadata.generation
                && now.spec.as_ref().unwrap().template == child.spec.as_ref().unwrap().template
        })
        .await;
    testkit::until("two Pods, as before", PATIENCE, async || {
        let now = pods(&space, "chat").await;
        if now.len() == 2 {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await
    .unwrap();
    space.wait_state("chat", "Ready").await;
}

async fn is_recreated<K>(space: &Space)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let before: K = space.api().get("chat").await.unwrap();
    space.delete::<K>("chat").await;
    space
        .wait::<K>("made again", "chat", |now| {
            now.uid() != before.uid() && now.meta().deletion_timestamp.is_none()
        })
        .await;
}

/// Every child that is deleted by hand comes back.
#[tokio::test]
async fn a_deleted_child_is_made_again() {
    let space = serving("deleted", 2).await;
    is_recreated::<Service>(&space).await;
    is_recreated::<NetworkPolicy>(&space).await;
    is_recreated::<PodDisruptionBudget>(&space).await;
    is_recreated::<Deployment>(&space).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.ready_replicas, Some(2));
    // The status may still be that of the Deployment before, whose Pods go: one of these could be gone before it is deleted.
    space
        .wait::<Deployment>("serves", "chat", |child| {
            child.status.as_ref().and_then(|status| status.ready_replicas) == Some(2)
        })
        .await;
    let victim = testkit::until("a Pod of two", PATIENCE, async || {
        let mut living = pods(&space, "chat").await;
        let victim = living.pop();
        (living.len() == 1).then_some(victim).flatten()
    })
    .await
    .unwrap();
    space.delete::<Pod>(&victim).await;
    space.wait_gone::<Pod>(&victim).await;
    space
        .wait_status("chat", "2 of 2", |status| status.ready_replicas == Some(2))
        .await;
    space.wait_state("chat", "Ready").await;
}

/// A claim that is deleted by hand is made again, once nobody uses it.
/// Promises: S2-22
#[tokio::test]
async fn a_deleted_claim_is_made_again() {
    let space = bed().await.space("claim").await;
    let stored = super::model("v1", "1Gi") + "  storage: {size: 5Gi}\n";
    space.apply(&stored).await;
    space.apply(&super::deployment("chat", 1, "")).await;
    space.wait_state("chat", "Ready").await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=0"]).await;
    space.wait_state("chat", "Stopped").await;
    is_recreated::<PersistentVolumeClaim>(&space).await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=1"]).await;
    space.wait_state("chat", "Ready").await;
}

fn mark(meta: &ObjectMeta) -> (Option<i64>, Option<String>) {
    let note = meta
        .annotations
        .as_ref()
        .and_then(|all| all.get("mesh.example.com/note").cloned());
    (meta.generation, note)
}

/// What others add beside our fields stays, also after a write of ours, and is not written about.
#[tokio::test]
async fn what_others_add_is_left_alone() {
    let space = serving("sidecar", 1).await;
    kubectl(
        &space,
        &["annotate", "deployment", "chat", "mesh.example.com/note=hello"],
    )
    .await;
    kubectl(
        &space,
        &["label", "service", "chat", "mesh.example.com/managed=yes"],
    )
    .await;
    // As a mesh does it: server-side apply by a manager of its own, with a label for the Pods.
    let labels = serde_json::json!({"mesh.example.com/inject": "true"});
    let patch = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chat"},
        "spec": {"template": {"metadata": {"labels": labels}}},
    });
    space
        .api::<Deployment>()
        .patch(
            "chat",
            &kube::api::PatchParams::apply("mesh"),
            &kube::api::Patch::Apply(&patch),
        )
        .await
        .unwrap();
    space
        .wait_status("chat", "rolled out", |status| {
            status.state.is_some_and(|state| state.as_str() == "Ready") && status.replicas == Some(1)
        })
        .await;
    let before: Deployment = space.api().get("chat").await.unwrap();
    assert_eq!(mark(&before.metadata).1.as_deref(), Some("hello"));

    // A change of ours is written; theirs stays.
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=2"]).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.ready_replicas, Some(2));
    let after: Deployment = space.api().get("chat").await.unwrap();
    let generation = before.metadata.generation.map(|generation| generation + 1);
    assert_eq!(
        mark(&after.metadata),
        (generation, Some("hello".to_owned())),
        "one write of ours, no fight"
    );
    let template = after.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    assert_eq!(template["mesh.example.com/inject"], "true");
    let service: Service = space.api().get("chat").await.unwrap();
    assert_eq!(service.labels()["mesh.example.com/managed"], "yes");
    assert!(
        !space.events("chat").await.contains_key("Repaired"),
        "nothing of ours was changed"
    );
}
