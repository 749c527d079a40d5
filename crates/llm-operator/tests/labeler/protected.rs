//! Labels below `kubernetes.io` and `k8s.io`.

use api::shared::State;

use crate::scene::{Scene, labeler, labels_of, sentence, told};

async fn protected(scene: &Scene, name: &str, keys: &[&str]) {
    let labels = keys.iter().map(|key| ((*key).to_owned(), "yes")).collect();
    let yaml = labeler(name, &scene.key("gpu"), "Exists", &[], &labels);
    scene.space().apply(&yaml).await;
}

/// They are refused by a condition that names them, and nothing of the labeler is written, its other labels included.
/// Promises: S4-29
#[tokio::test]
async fn are_refused() {
    let scene = Scene::new("protected").await;
    scene.node("a", &[("gpu", "h100")]).await;
    let node = scene.node_name("a");
    let mark = scene.mark().await;
    let role = "node-role.kubernetes.io/gpu";
    let restricted = "node-restriction.kubernetes.io/x";
    for key in [
        role,
        restricted,
        "kubernetes.io/os",
        "k8s.io/a",
        "scheduler.k8s.io/b",
    ] {
        let name = format!("l-{}", key.replace(['.', '/'], "-"));
        protected(&scene, &name, &[key, &scene.key("harmless")]).await;
        let status = scene.wait(&name, "ProtectedLabel").await;
        assert_eq!(status.state, Some(State::Invalid));
        assert_eq!(told(&status, "Accepted"), ("False", "ProtectedLabel"));
        assert_eq!(told(&status, "Applied"), ("False", "NotAccepted"));
        for words in [key, "--allow-protected-node-labels"] {
            assert!(
                sentence(&status, "Accepted").contains(words),
                "{words}: {status:?}"
            );
        }
    }
    scene.wait_labels("a", &[("gpu", "h100")]).await;
    assert!(scene.node_writes(&mark).await.is_empty());
    assert!(
        labels_of(&scene.space().client, &node, "node-role")
            .await
            .is_empty()
    );

    // An edit heals it; an edit back takes the labels off again.
    protected(&scene, "edited", &[&scene.key("harmless")]).await;
    scene.wait("edited", "Ready").await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("harmless", "yes")])
        .await;
    protected(&scene, "edited", &[role, &scene.key("harmless")]).await;
    scene.wait("edited", "ProtectedLabel").await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
}

/// With the flag they are set.
/// Promises: S4-29
#[tokio::test]
async fn are_set_when_a_flag_allows_them() {
    let scene = Scene::with("allowed", &["--allow-protected-node-labels"]).await;
    scene.node("a", &[("gpu", "h100")]).await;
    protected(&scene, "role", &["node-role.kubernetes.io/gpu"]).await;
    scene.wait("role", "Ready").await;
    let labels = labels_of(&scene.space().client, &scene.node_name("a"), "node-role").await;
    assert_eq!(labels.len(), 1, "{labels:?}");
}
