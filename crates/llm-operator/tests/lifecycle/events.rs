//! What a person reads in events: one per change.

use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;

use super::{common::bed, deployment, kubectl, model, serving};

/// Coming up is told once, and `kubectl describe` and `kubectl get events` show it.
/// Promises: S2-12
#[tokio::test]
async fn coming_up_is_told_once() {
    let space = serving("told", 2).await;
    super::told(&space, "chat", "AllReplicasReady").await;
    let told = space.events("chat").await;
    let ours: Vec<_> = told
        .values()
        .flatten()
        .filter(|event| event.involved_object.kind.as_deref() == Some("LLMDeployment"))
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(ours[0].type_.as_deref(), Some("Normal"));
    assert_eq!(ours[0].count, Some(1));

    let described = kubectl(&space, &["describe", "llmdeployment", "chat"]).await;
    let (spec, events) = described
        .split_once("Events:")
        .unwrap_or_else(|| panic!("{described}"));
    assert!(
        spec.contains("State:") && spec.contains("Observed Generation:"),
        "{described}"
    );
    assert!(
        events.contains("AllReplicasReady") && events.contains("2 of 2 replicas serve"),
        "{described}"
    );
    let sorted = kubectl(&space, &["get", "events", "--sort-by=.lastTimestamp"]).await;
    assert!(
        sorted.contains("llmdeployment/chat") && sorted.contains("AllReplicasReady"),
        "{sorted}"
    );
    // Times are whole seconds, and kubectl sorts equal ones in no order.
    let all = space.api::<Event>().list(&ListParams::default()).await.unwrap();
    let last = all.items.iter().filter_map(|event| event.last_timestamp.as_ref());
    assert_eq!(
        ours[0].last_timestamp.as_ref().map(|time| time.0),
        last.map(|time| time.0).max(),
        "being ready comes after all else: {sorted}"
    );
}

/// Trouble is told once per cause, and its end once.
#[tokio::test]
async fn trouble_is_told_once_per_cause() {
    let space = bed().await.space("trouble").await;
    space.apply(&deployment("chat", 1, "")).await;
    space.wait_state("chat", "Blocked").await;
    // An edit while the cause is the same says nothing new.
    kubectl(&space, &["scale", "llmdeployment", "chat", "--replicas=2"]).await;
    space.wait_state("chat", "Blocked").await;
    space.apply(&model("v1", "1Gi")).await;
    space.wait_state("chat", "Ready").await;
    assert_eq!(super::told(&space, "chat", "AllReplicasReady").await, 1);
    let told = space.events("chat").await;
    assert_eq!(told["ModelNotFound"].len(), 1, "{told:?}");
    assert_eq!(told["ModelNotFound"][0].type_.as_deref(), Some("Warning"));
}
