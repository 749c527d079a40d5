//! Creation and deletion in any order.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};

use super::{common::condition, deployment, kubectl, model, pods, serving};
use crate::common::bed;

/// A deployment before its model says what is missing, makes nothing, and goes on when the model comes.
#[tokio::test]
async fn a_deployment_waits_for_its_model() {
    let space = bed().await.space("early").await;
    space.apply(&deployment("chat", 1, "")).await;
    let message = space.wait_reason("chat", "ModelNotFound").await;
    assert!(message.contains("LLMModel small"), "{message}");
    let status = space.wait_state("chat", "Blocked").await;
    let accepted = condition(&status, "Accepted").unwrap();
    assert_eq!(
        (accepted.status.as_str(), accepted.reason.as_str()),
        ("False", "ModelNotFound")
    );
    assert_eq!(condition(&status, "Applied").unwrap().reason, "NotAccepted");
    assert_eq!(condition(&status, "Ready").unwrap().status, "False");
    assert_eq!(
        status.observed_generation, None,
        "no reconcile was without error yet"
    );
    assert!(space.api::<Service>().get_opt("chat").await.unwrap().is_none());

    space.apply(&model("v1", "1Gi")).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.observed_generation, Some(1));
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.status == "True"),
        "{status:?}"
    );
}

/// What runs keeps running when its model goes; the status says so, and the model's return changes no Pod.
#[tokio::test]
async fn a_model_deleted_under_a_deployment_takes_nothing_down() {
    let space = serving("orphan", 2).await;
    let before = pods(&space, "chat").await;
    space.delete::<LLMModel>("small").await;
    let status = space.wait_state("chat", "Blocked").await;
    assert_eq!(status.reason.as_deref(), Some("ModelNotFound"));
    assert_eq!(status.ready_replicas, Some(2));
    assert_eq!(
        status.image.as_deref(),
        Some("your-registry/gpt-small:v1"),
        "what runs is still shown"
    );
    assert_eq!(
        condition(&status, "Ready").unwrap().status,
        "True",
        "it serves: {status:?}"
    );
    let applied = condition(&status, "Applied").unwrap();
    assert_eq!(applied.status, "False");
    assert!(applied.message.contains("left as it is"), "{}", applied.message);

    // An edit is accepted by the API server and waits for the model.
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=3"]).await;
    space.wait_state("chat", "Blocked").await;
    assert_eq!(pods(&space, "chat").await, before);

    space.apply(&model("v1", "1Gi")).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.ready_replicas, Some(3));
    let after = pods(&space, "chat").await;
    assert!(
        before.iter().all(|pod| after.contains(pod)),
        "{before:?} {after:?}"
    );
}

/// A deployment deleted and created again at once gets children of its own; the old ones do not stand in its way.
#[tokio::test]
async fn recreated_at_once_it_serves_again() {
    let space = serving("again", 1).await;
    let old: LLMDeployment = space.api().get("chat").await.unwrap();
    space.delete::<LLMDeployment>("chat").await;
    space.wait_gone::<LLMDeployment>("chat").await;
    space.apply(&deployment("chat", 1, "")).await;
    let new: LLMDeployment = space.api().get("chat").await.unwrap();
    assert_ne!(old.metadata.uid, new.metadata.uid);
    space.wait_state("chat", "Ready").await;
    let child: Deployment = space.api().get("chat").await.unwrap();
    assert_eq!(
        child.metadata.owner_references.unwrap()[0].uid,
        new.metadata.uid.unwrap()
    );
}
