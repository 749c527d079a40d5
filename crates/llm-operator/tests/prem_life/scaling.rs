//! Replicas: the spec's, those of whoever scales, and nobody's.

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use k8s_openapi::api::{
    apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, policy::v1::PodDisruptionBudget,
};
use serde_json::{Value, json};

use crate::{
    common::{Space, bed},
    scene::{apply, edit, generic, kubectl, stored},
    seen::wait_word,
};

async fn wait_ready(space: &Space, replicas: i32) -> AIDeploymentStatus {
    let found: AIDeployment = space
        .wait(&format!("{replicas} serve"), "small", |object: &AIDeployment| {
            object.status.as_ref().is_some_and(|status| {
                (status.desired_replicas, status.replicas, status.ready_replicas)
                    == (Some(replicas), Some(replicas), Some(replicas))
            })
        })
        .await;
    found.status.unwrap()
}

async fn wait_spec(space: &Space, replicas: i32) {
    space
        .wait(
            &format!("{replicas} replicas"),
            "small",
            |deployment: &Deployment| deployment.spec.as_ref().unwrap().replicas == Some(replicas),
        )
        .await;
}

fn replicas(replicas: Value) -> Value {
    generic(json!({"deployment": {"replicas": replicas}}))
}

/// A number is followed up and down, to nothing and back; with two there is a budget for drains.
/// Promises: S4-2, S4-28
#[tokio::test]
async fn the_number_of_the_spec_is_followed() {
    let space = bed().await.space("number").await;
    apply(&space, "small", replicas(json!(2))).await;
    let status = wait_ready(&space, 2).await;
    assert_eq!(status.status.as_deref(), Some("Ready"));
    space
        .wait("exists", "small-llm-operator", |_: &PodDisruptionBudget| true)
        .await;
    apply(&space, "small", replicas(json!(3))).await;
    wait_ready(&space, 3).await;
    apply(&space, "small", replicas(json!(1))).await;
    wait_ready(&space, 1).await;
    space.wait_gone::<PodDisruptionBudget>("small-llm-operator").await;
    apply(&space, "small", replicas(json!(0))).await;
    let status = wait_ready(&space, 0).await;
    assert_eq!(
        (status.status.as_deref(), status.err_msg),
        (Some("NotReady"), None)
    );
    assert_eq!(status.state.map(api::shared::State::as_str), Some("Stopped"));
    apply(&space, "small", replicas(json!(1))).await;
    wait_word(&space, "small", "Ready").await;
    wait_ready(&space, 1).await;
}

/// `kubectl scale` on the resource writes its spec, also when that has no `deployment` at all.
/// Promises: S4-28
#[tokio::test]
async fn the_resource_scales() {
    let space = bed().await.space("scale").await;
    apply(&space, "small", generic(json!({}))).await;
    wait_ready(&space, 1).await;
    kubectl(&space, &["scale", "aideployment", "small", "--replicas=2"]).await;
    wait_ready(&space, 2).await;
    let spec = stored(&space, "small").await.spec.deployment.unwrap();
    assert_eq!(spec.replicas, Some(2));
}

/// Bug 1.7-12: where the spec says no number, whoever scales the Deployment is not fought, and no other change touches
/// the number; where it says one, that holds.
/// Promises: S4-28, S4-31
#[tokio::test]
async fn bug_1_7_12_a_number_that_nobody_said_is_not_fought_for() {
    let space = bed().await.space("unset").await;
    apply(&space, "small", generic(json!({}))).await;
    wait_ready(&space, 1).await;
    kubectl(&space, &["scale", "deployment", "small", "--replicas=3"]).await;
    wait_ready(&space, 3).await;
    // A change that is rolled out and one that is repaired.
    apply(
        &space,
        "small",
        generic(json!({"env": [{"name": "A", "value": "b"}]})),
    )
    .await;
    space
        .wait("has the variable", "small", |deployment: &Deployment| {
            let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
            pod.containers[0].env.is_some()
        })
        .await;
    edit::<Deployment>(&space, "small", json!({"spec": {"progressDeadlineSeconds": 1}})).await;
    space
        .wait("is repaired", "small", |deployment: &Deployment| {
            deployment.spec.as_ref().unwrap().progress_deadline_seconds != Some(1)
        })
        .await;
    wait_spec(&space, 3).await;
    wait_ready(&space, 3).await;

    apply(&space, "small", replicas(json!(2))).await;
    wait_ready(&space, 2).await;
    kubectl(&space, &["scale", "deployment", "small", "--replicas=3"]).await;
    wait_spec(&space, 2).await;
    wait_ready(&space, 2).await;
}

/// Bug 1.7-12: an autoscaler of the Deployment is not fought, whether or not the spec says a number; when it goes, the
/// spec's number holds again.
/// Promises: S4-28, S4-31
#[tokio::test]
async fn bug_1_7_12_an_autoscaler_is_not_fought() {
    let space = bed().await.space("autoscaler").await;
    let autoscaler = |least: i32| {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "small"},
            "minReplicas": least, "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
        }})
        .to_string()
    };
    apply(&space, "small", replicas(json!(1))).await;
    wait_ready(&space, 1).await;
    space.apply(&autoscaler(3)).await;
    wait_ready(&space, 3).await;
    let edited = generic(json!({"deployment": {"replicas": 1}, "env": [{"name": "A", "value": "b"}]}));
    apply(&space, "small", edited).await;
    space
        .wait("has seen the edit", "small", |found: &AIDeployment| {
            found
                .status
                .as_ref()
                .and_then(|status| status.observed_generation)
                == Some(2)
        })
        .await;
    wait_spec(&space, 3).await;
    wait_ready(&space, 3).await;
    assert_eq!(
        stored(&space, "small").await.spec.deployment.unwrap().replicas,
        Some(1)
    );
    space.delete::<HorizontalPodAutoscaler>("scaler").await;
    wait_ready(&space, 1).await;
}
