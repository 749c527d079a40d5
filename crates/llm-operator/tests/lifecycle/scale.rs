//! Replicas up and down, through `/scale` too, and the budget that comes and goes with them.

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::api::ListParams;

use super::{deployment, kubectl, pods, serving};

/// `kubectl scale` works, and `/scale` tells an autoscaler what it needs: the number of Pods and their selector.
/// Promises: S2-7
#[tokio::test]
async fn kubectl_scales_up_and_down() {
    let space = serving("scale", 1).await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=3"]).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.ready_replicas, Some(3));
    let scale = space.api::<LLMDeployment>().get_scale("chat").await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(3));
    let seen = scale.status.unwrap();
    assert_eq!(seen.replicas, 3);
    let selected = ListParams::default().labels(&seen.selector.unwrap());
    assert_eq!(space.api::<Pod>().list(&selected).await.unwrap().items.len(), 3);

    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=1"]).await;
    // The Pods may be gone a moment before their controller says that it has seen the new number.
    space
        .wait_status("chat", "one replica, and Ready", |status| {
            (status.replicas, status.ready_replicas) == (Some(1), Some(1))
                && status.state == Some(api::shared::State::Ready)
        })
        .await;

    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=0"]).await;
    let status = space.wait_state("chat", "Stopped").await;
    assert_eq!(status.reason.as_deref(), Some("ScaledToZero"));
    space
        .wait_status("chat", "no Pod", |status| status.replicas == Some(0))
        .await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=1"]).await;
    space.wait_state("chat", "Ready").await;
}

/// Whether the Deployment's controller is through with this revision: an annotation of its Pods, or none.
fn is_at(child: &Deployment, revision: Option<&str>, replicas: i32) -> bool {
    let annotations = child.spec.as_ref().and_then(|spec| {
        let metadata = spec.template.metadata.as_ref()?;
        metadata.annotations.as_ref()
    });
    let found = annotations.and_then(|all| all.get("example.com/revision"));
    let status = child.status.clone().unwrap_or_default();
    let count = |count: Option<i32>| count.unwrap_or(0) == replicas;
    found.map(String::as_str) == revision
        && status.observed_generation == child.metadata.generation
        && count(status.replicas)
        && count(status.updated_replicas)
}

/// An earlier template that comes back at zero replicas: the Deployment's conditions go on to speak of the one in between.
#[tokio::test]
async fn what_comes_back_from_zero_as_it_once_was_is_ready() {
    let space = serving("again", 1).await;
    let revised = "  podAnnotations: {example.com/revision: two}\n";
    space.apply(&deployment("chat", 1, revised)).await;
    let rolled_out = |child: &Deployment| is_at(child, Some("two"), 1);
    space.wait("rolled out", "chat", rolled_out).await;
    space.wait_state("chat", "Ready").await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=0"]).await;
    space
        .wait("at zero", "chat", |child: &Deployment| {
            is_at(child, Some("two"), 0)
        })
        .await;
    space.apply(&deployment("chat", 0, "")).await;
    space
        .wait("as before", "chat", |child: &Deployment| is_at(child, None, 0))
        .await;
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=1"]).await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(status.ready_replicas, Some(1));
}

/// The budget exists from two replicas up, unless it is switched off or asked for; what is no longer asked for goes.
#[tokio::test]
async fn the_budget_comes_and_goes() {
    let space = serving("budget", 2).await;
    space.api::<PodDisruptionBudget>().get("chat").await.unwrap();
    let before = pods(&space, "chat").await;
    space.apply(&deployment("chat", 1, "")).await;
    space.wait_gone::<PodDisruptionBudget>("chat").await;
    space.wait_state("chat", "Ready").await;
    assert_eq!(super::told(&space, "chat", "Pruned").await, 1);
    let pruned = &space.events("chat").await["Pruned"];
    assert!(
        pruned[0]
            .message
            .as_deref()
            .unwrap()
            .contains("PodDisruptionBudget chat")
    );

    space.apply(&deployment("chat", 2, "")).await;
    space.wait::<PodDisruptionBudget>("back", "chat", |_| true).await;
    space
        .apply(&deployment("chat", 2, "  disruptionBudget: {enabled: false}\n"))
        .await;
    space.wait_gone::<PodDisruptionBudget>("chat").await;
    space
        .apply(&deployment("chat", 1, "  disruptionBudget: {minAvailable: 1}\n"))
        .await;
    let budget = space
        .wait::<PodDisruptionBudget>("asked for", "chat", |_| true)
        .await;
    assert!(budget.spec.unwrap().min_available.is_some());
    let after = pods(&space, "chat").await;
    assert!(
        after.iter().any(|pod| before.contains(pod)),
        "no Pod was replaced for any of it"
    );
}
