//! A new version of a model.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};

use super::{deployment, kubectl, model, pods, serving, watching::Watching};

fn image(child: &Deployment) -> &str {
    let template = child.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    template
        .and_then(|pod| pod.containers[0].image.as_deref())
        .unwrap()
}

/// One edit of the model rolls every deployment that uses it, and no Pod goes before its successor serves.
/// Promises: S2-24
#[tokio::test]
async fn a_new_image_rolls_every_deployment_without_a_gap() {
    let space = serving("roll", 3).await;
    space.apply(&deployment("batch", 1, "")).await;
    space.wait_state("batch", "Ready").await;
    let old = [pods(&space, "chat").await, pods(&space, "batch").await].concat();
    let chat = Watching::start(space.api::<Pod>(), "chat").await;
    let batch = Watching::start(space.api::<Pod>(), "batch").await;

    space.apply(&model("v2", "1Gi")).await;
    for (name, replicas) in [("chat", 3), ("batch", 1)] {
        space
            .wait::<Deployment>("new image", name, |child| {
                image(child) == "your-registry/gpt-small:v2"
            })
            .await;
        let status = space
            .wait_status(name, "rolled out", |status| {
                status.state.is_some_and(|state| state.as_str() == "Ready")
                    && status.image.as_deref() == Some("your-registry/gpt-small:v2")
            })
            .await;
        assert_eq!(status.ready_replicas, Some(replicas));
    }
    // Ready means that the rollout is over: only new Pods are left.
    let new = [pods(&space, "chat").await, pods(&space, "batch").await].concat();
    assert_eq!(new.len(), 4, "{new:?}");
    assert!(new.iter().all(|pod| !old.contains(pod)), "{old:?} {new:?}");
    assert_eq!(chat.lowest().await, 3);
    assert_eq!(batch.lowest().await, 1);
}

/// More memory for the model is a new version too; an edit that changes nothing is none.
/// Promises: S2-24
#[tokio::test]
async fn memory_rolls_and_a_label_on_the_model_does_not() {
    let space = serving("memory", 2).await;
    let before = pods(&space, "chat").await;
    kubectl(&space, &["label", "llmmodels.llm.example.com", "small", "team=a"]).await;
    let watching = Watching::start(space.api::<Pod>(), "chat").await;
    space.apply(&model("v1", "2Gi")).await;
    space
        .wait::<Deployment>("more memory", "chat", |child| {
            let pod = child
                .spec
                .as_ref()
                .and_then(|spec| spec.template.spec.as_ref())
                .unwrap();
            let resources = pod.containers[0].resources.as_ref().unwrap();
            [&resources.requests, &resources.limits]
                .iter()
                .all(|amounts| amounts.as_ref().unwrap()["memory"].0 == "2Gi")
        })
        .await;
    let child: Deployment = space.api().get("chat").await.unwrap();
    assert_eq!(
        child.metadata.generation,
        Some(2),
        "one rollout, not one for the label too"
    );
    space
        .wait::<Deployment>("rolled out", "chat", |child| {
            let status = child.status.as_ref().unwrap();
            status.observed_generation == child.metadata.generation
                && (status.updated_replicas, status.replicas, status.ready_replicas)
                    == (Some(2), Some(2), Some(2))
        })
        .await;
    space.wait_state("chat", "Ready").await;
    let after = pods(&space, "chat").await;
    assert!(
        before.iter().all(|pod| !after.contains(pod)),
        "{before:?} {after:?}"
    );
    assert_eq!(watching.lowest().await, 2);
}

/// A new version that never comes up takes nothing away: the old Pods serve, and the status tells the cause.
/// Promises: S2-24
#[tokio::test]
async fn a_version_that_cannot_be_pulled_leaves_the_old_one_serving() {
    let space = serving("broken", 2).await;
    let before = pods(&space, "chat").await;
    let watching = Watching::start(space.api::<Pod>(), "chat").await;
    space
        .apply(&model("v1", "1Gi").replace("gpt-small:v1", "no-such-model:v1"))
        .await;
    let status = space.wait_state("chat", "Blocked").await;
    let ready = super::common::condition(&status, "Ready").unwrap();
    assert_eq!(ready.status, "True", "{ready:?}");
    assert!(ready.message.contains("no-such-model"), "{}", ready.message);
    let after = pods(&space, "chat").await;
    assert!(
        before.iter().all(|pod| after.contains(pod)),
        "{before:?} {after:?}"
    );
    space.apply(&model("v1", "1Gi")).await;
    space.wait_state("chat", "Ready").await;
    assert_eq!(pods(&space, "chat").await, before);
    assert_eq!(watching.lowest().await, 2);
}
