//! Something else scales: the child's replicas are left to it, and only they, and only as long as it is there.

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::{
    apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, core::v1::Pod,
    policy::v1::PodDisruptionBudget,
};

use super::{
    common::{Space, condition},
    deployment, kubectl, serving,
    watching::Watching,
};

/// A real autoscaler; without metrics it acts only on a number outside of its range.
fn autoscaler(target: &str, least: i32, most: i32) -> String {
    format!(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: scaler
spec:
  scaleTargetRef: {target}
  minReplicas: {least}
  maxReplicas: {most}
  metrics:
  - type: Resource
    resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}
"
    )
}

const CHILD: &str = "{apiVersion: apps/v1, kind: Deployment, name: chat}";

async fn replicas(space: &Space) -> i32 {
    let child: Deployment = space.api().get("chat").await.unwrap();
    child.spec.unwrap().replicas.unwrap()
}

async fn wait_replicas(space: &Space, replicas: i32) {
    space
        .wait::<Deployment>(&format!("{replicas} replicas"), "chat", |child| {
            child.spec.as_ref().unwrap().replicas == Some(replicas)
        })
        .await;
}

/// Waits until the status says who sets the replicas, or that nobody else does.
async fn wait_scaled(space: &Space, scaled: bool) -> String {
    let status = space
        .wait_status("chat", &format!("scaled by another: {scaled}"), |status| {
            condition(status, "Applied").is_some_and(|applied| {
                applied.status == "True"
                    && applied.message.contains("HorizontalPodAutoscaler scaler") == scaled
            })
        })
        .await;
    condition(&status, "Applied").unwrap().message.clone()
}

/// While an autoscaler targets the child, scaling the child is not undone; every other edit is. When it goes, the
/// spec's number holds again. Nothing of this takes a Pod down that should run.
#[tokio::test]
async fn replicas_belong_to_the_autoscaler_while_there_is_one() {
    let space = serving("hpa", 2).await;
    kubectl(&space, &["scale", "deployment", "chat", "--replicas=3"]).await;
    wait_replicas(&space, 2).await;

    let watching = Watching::start(space.api::<Pod>(), "chat").await;
    space.apply(&autoscaler(CHILD, 2, 6)).await;
    let told = wait_scaled(&space, true).await;
    assert!(told.contains("2 to 6"), "{told}");
    assert_eq!(replicas(&space).await, 2, "handed over as it was");
    kubectl(&space, &["scale", "deployment", "chat", "--replicas=4"]).await;
    let status = space
        .wait_status("chat", "4 ready", |status| status.ready_replicas == Some(4))
        .await;
    assert_eq!(
        status.state.map(api::shared::State::as_str),
        Some("Ready"),
        "{status:?}"
    );

    // An edit of something else is repaired, an edit of the model is rolled out, and neither touches the number.
    kubectl(
        &space,
        &[
            "set",
            "image",
            "deployment/chat",
            "engine=your-registry/gpt-small:other",
        ],
    )
    .await;
    space
        .wait::<Deployment>("image repaired", "chat", |child| {
            let pod = child.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
            pod.containers[0].image.as_deref() == Some("your-registry/gpt-small:v1")
        })
        .await;
    assert_eq!(replicas(&space).await, 4);
    assert_eq!(watching.lowest().await, 2, "no dip at the hand-over");

    let watching = Watching::start(space.api::<Pod>(), "chat").await;
    space.delete::<HorizontalPodAutoscaler>("scaler").await;
    wait_replicas(&space, 2).await;
    wait_scaled(&space, false).await;
    kubectl(&space, &["scale", "deployment", "chat", "--replicas=3"]).await;
    wait_replicas(&space, 2).await;
    space
        .wait_status("chat", "2 Pods", |status| {
            (status.replicas, status.ready_replicas) == (Some(2), Some(2))
        })
        .await;
    assert_eq!(watching.lowest().await, 2, "no dip when it is taken back");
}

/// `spec.replicas` is where an autoscaled child starts: on creation, and again when it is raised; it is never fought for.
#[tokio::test]
async fn spec_replicas_is_the_floor_from_which_it_starts() {
    let space = super::common::bed().await.space("floor").await;
    space.apply(&autoscaler(CHILD, 1, 6)).await;
    space.apply(&super::model("v1", "1Gi")).await;
    space.apply(&deployment("chat", 3, "")).await;
    let told = wait_scaled(&space, true).await;
    assert!(told.contains("raise its minReplicas"), "{told}");
    assert_eq!(replicas(&space).await, 3, "not the API server's default of one");
    space.wait_state("chat", "Ready").await;

    // Whoever scales may go below: an autoscaler whose minimum is lower would be fought with for ever.
    kubectl(&space, &["scale", "deployment", "chat", "--replicas=1"]).await;
    space
        .wait_status("chat", "one Pod", |status| {
            (status.replicas, status.ready_replicas) == (Some(1), Some(1))
        })
        .await;
    space.apply(&deployment("chat", 2, "")).await;
    wait_replicas(&space, 2).await;
    kubectl(&space, &["scale", "deployment", "chat", "--replicas=5"]).await;
    space.apply(&deployment("chat", 4, "")).await;
    space
        .wait_status("chat", "told", |status| status.observed_generation == Some(3))
        .await;
    assert_eq!(replicas(&space).await, 5, "a floor is no ceiling");
}

/// The real autoscaler scales the child, and a budget is there before the second replica is.
#[tokio::test]
async fn a_real_autoscaler_scales_the_child() {
    let space = serving("real", 1).await;
    assert!(
        space
            .api::<PodDisruptionBudget>()
            .get_opt("chat")
            .await
            .unwrap()
            .is_none()
    );
    space.apply(&autoscaler(CHILD, 3, 5)).await;
    wait_scaled(&space, true).await;
    space.wait::<PodDisruptionBudget>("made", "chat", |_| true).await;
    space
        .wait_status("chat", "3 ready", |status| status.ready_replicas == Some(3))
        .await;
    space.wait_state("chat", "Ready").await;
    space.apply(&autoscaler(CHILD, 1, 2)).await;
    wait_replicas(&space, 2).await;
    assert_eq!(
        space
            .api::<LLMDeployment>()
            .get("chat")
            .await
            .unwrap()
            .spec
            .replicas,
        1
    );
    space.delete::<HorizontalPodAutoscaler>("scaler").await;
    space.wait_gone::<PodDisruptionBudget>("chat").await;
    wait_replicas(&space, 1).await;
}

/// An autoscaler may target the resource itself: `/scale` has all that it reads.
#[tokio::test]
async fn an_autoscaler_may_target_the_resource() {
    let space = serving("root", 1).await;
    let target = "{apiVersion: llm.example.com/v1alpha1, kind: LLMDeployment, name: chat}";
    space.apply(&autoscaler(target, 2, 4)).await;
    space
        .wait::<LLMDeployment>("scaled", "chat", |found| found.spec.replicas == 2)
        .await;
    space.wait_state("chat", "Ready").await;
    assert_eq!(replicas(&space).await, 2);
}
