//! What a labeler has set goes again, and nothing else does.

use api::premlabs_io::v1alpha1::AutoNodeLabeler;

use crate::scene::Scene;

/// A node that stops matching loses the labels; one that matches again has them back.
/// Promises: S4-29
#[tokio::test]
async fn a_node_that_stops_matching_loses_the_labels() {
    let scene = Scene::new("stops").await;
    scene.node("a", &[("gpu", "h100"), ("mine", "x")]).await;
    scene
        .labeler(
            "gpus",
            ("gpu", "Exists", &[]),
            &[("tier", "gold"), ("also", "this")],
        )
        .await;
    let labelled = [("gpu", "h100"), ("mine", "x"), ("tier", "gold"), ("also", "this")];
    scene.wait_labels("a", &labelled).await;
    scene.label("a", "gpu-").await;
    scene.wait_labels("a", &[("mine", "x")]).await;
    scene.label("a", "gpu=l4").await;
    scene
        .wait_labels(
            "a",
            &[("gpu", "l4"), ("mine", "x"), ("tier", "gold"), ("also", "this")],
        )
        .await;
}

/// An edit of the labels adds, changes and removes on every node, in one write each; an edit of the expression moves them.
/// Promises: S4-29
#[tokio::test]
async fn an_edit_reaches_the_nodes() {
    let scene = Scene::new("edit").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene.node("b", &[("gpu", "l4")]).await;
    scene
        .labeler("gpus", ("gpu", "In", &["h100"]), &[("old", "1"), ("kept", "1")])
        .await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("old", "1"), ("kept", "1")])
        .await;
    scene.wait("gpus", "Ready").await;

    let mark = scene.mark().await;
    scene
        .labeler("gpus", ("gpu", "In", &["h100"]), &[("new", "1"), ("kept", "2")])
        .await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("new", "1"), ("kept", "2")])
        .await;
    scene.wait("gpus", "Ready").await;
    let writes = scene.node_writes(&mark).await;
    assert_eq!(writes.len(), 1, "{writes:?}");

    scene
        .labeler("gpus", ("gpu", "In", &["l4"]), &[("new", "1"), ("kept", "2")])
        .await;
    scene
        .wait_labels("b", &[("gpu", "l4"), ("new", "1"), ("kept", "2")])
        .await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
}

/// A labeler goes after its labels; what another labeler asks for as well stays.
/// Promises: S4-29
#[tokio::test]
async fn deletion_removes_the_labels_first() {
    let scene = Scene::new("deletion").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("one", ("gpu", "Exists", &[]), &[("shared", "yes"), ("one", "1")])
        .await;
    scene
        .labeler("two", ("gpu", "Exists", &[]), &[("shared", "yes"), ("two", "2")])
        .await;
    let both = [("gpu", "h100"), ("shared", "yes"), ("one", "1"), ("two", "2")];
    scene.wait_labels("a", &both).await;
    scene.space().delete::<AutoNodeLabeler>("one").await;
    scene.space().wait_gone::<AutoNodeLabeler>("one").await;
    let left = crate::scene::labels_of(
        &scene.space().client,
        &scene.node_name("a"),
        &scene.space().namespace,
    )
    .await;
    assert_eq!(
        left.len(),
        3,
        "gone from the node before it was gone itself: {left:?}"
    );
    assert!(!left.contains_key(&scene.key("one")), "{left:?}");
    scene.space().delete::<AutoNodeLabeler>("two").await;
    scene.space().wait_gone::<AutoNodeLabeler>("two").await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
}

/// A label of ours that somebody removes comes back.
/// Promises: S4-29
#[tokio::test]
async fn a_label_that_somebody_removes_comes_back() {
    let scene = Scene::new("drift").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "gold")]).await;
    let mark = scene.mark().await;
    scene.label("a", "tier-").await;
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "gold")]).await;
    assert_eq!(scene.wait_node_writes(&mark, 1).await.len(), 1);
}

/// A labeler that is deleted while the operator is away waits for it; and one whose finalizer somebody takes off leaves
/// nothing behind either, since the labels are known by who has set them.
/// Promises: S4-29
#[tokio::test]
async fn an_operator_that_was_away_cleans_up() {
    let mut scene = Scene::new("away").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("waits", ("gpu", "Exists", &[]), &[("waits", "1")])
        .await;
    scene
        .labeler("forced", ("gpu", "Exists", &[]), &[("forced", "1")])
        .await;
    scene
        .labeler("edited", ("gpu", "Exists", &[]), &[("before", "1")])
        .await;
    let all = [("gpu", "h100"), ("waits", "1"), ("forced", "1"), ("before", "1")];
    scene.wait_labels("a", &all).await;
    for name in ["waits", "forced", "edited"] {
        scene.wait(name, "Ready").await;
    }
    scene.stand.operator.process.kill9();
    for name in ["waits", "forced"] {
        scene.space().delete::<AutoNodeLabeler>(name).await;
    }
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    let args = ["patch", "autonodelabeler", "forced", "--type=merge", "-p", patch];
    let (worked, text) = scene.space().kubectl(&args).await;
    assert!(worked, "{text}");
    scene.space().wait_gone::<AutoNodeLabeler>("forced").await;
    scene
        .labeler("edited", ("gpu", "Exists", &[]), &[("after", "1")])
        .await;
    let waiting: AutoNodeLabeler = scene.space().api().get("waits").await.unwrap();
    assert!(waiting.metadata.deletion_timestamp.is_some());

    scene.stand.restart().await;
    scene.space().wait_gone::<AutoNodeLabeler>("waits").await;
    scene.wait_labels("a", &[("gpu", "h100"), ("after", "1")]).await;
}

/// A finalizer that somebody takes off is put back, and no label moves for that.
#[tokio::test]
async fn the_finalizer_comes_back() {
    let scene = Scene::new("finalizer").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait("gpus", "Ready").await;
    let mark = scene.mark().await;
    let patch = r#"{"metadata":{"finalizers":["example.com/other"]}}"#;
    let args = ["patch", "autonodelabeler", "gpus", "--type=merge", "-p", patch];
    let (worked, text) = scene.space().kubectl(&args).await;
    assert!(worked, "{text}");
    scene
        .space()
        .wait("both finalizers", "gpus", |object: &AutoNodeLabeler| {
            let finalizers = object.metadata.finalizers.clone().unwrap_or_default();
            finalizers == ["example.com/other", "premlabs.io/node-labels"]
        })
        .await;
    assert!(scene.node_writes(&mark).await.is_empty());
    // Ours comes off, the other's stays.
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    scene
        .space()
        .wait(
            "the other's finalizer alone",
            "gpus",
            |object: &AutoNodeLabeler| {
                object.metadata.finalizers.as_deref() == Some(&["example.com/other".to_owned()])
            },
        )
        .await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
}
