//! The four operators, on labelers and on nodes.

use api::shared::State;

use crate::scene::{Scene, sentence, told};

/// Every operator labels exactly the nodes that it matches, and the status counts them.
/// Promises: S4-6, S4-29
#[tokio::test]
async fn every_operator_labels_what_it_matches() {
    let scene = Scene::new("operators").await;
    scene.node("big", &[("gpu", "h100")]).await;
    scene.node("small", &[("gpu", "l4")]).await;
    scene.node("none", &[("cpu", "yes")]).await;
    let both = ["h100", "a100"];
    scene
        .labeler("exists", ("gpu", "Exists", &[]), &[("has", "gpu")])
        .await;
    scene
        .labeler("in", ("gpu", "In", &both), &[("size", "big")])
        .await;
    scene
        .labeler("lenient", ("gpu", "Exists", &["ignored"]), &[("lenient", "yes")])
        .await;
    // Negative operators match the nodes of others as well; the keys are those of this test.
    scene
        .labeler("not-in", ("gpu", "NotIn", &both), &[("cheap", "yes")])
        .await;
    scene
        .labeler("absent", ("gpu", "DoesNotExist", &[]), &[("plain", "yes")])
        .await;

    let big = [
        ("gpu", "h100"),
        ("has", "gpu"),
        ("size", "big"),
        ("lenient", "yes"),
    ];
    scene.wait_labels("big", &big).await;
    let small = [
        ("gpu", "l4"),
        ("has", "gpu"),
        ("lenient", "yes"),
        ("cheap", "yes"),
    ];
    scene.wait_labels("small", &small).await;
    let none = [("cpu", "yes"), ("cheap", "yes"), ("plain", "yes")];
    scene.wait_labels("none", &none).await;

    for (name, matched) in [("exists", 2), ("in", 1), ("lenient", 2)] {
        let status = scene.wait(name, "Ready").await;
        assert_eq!(status.state, Some(State::Ready));
        assert_eq!(
            (status.matched_nodes, status.labeled_nodes),
            (Some(matched), Some(matched)),
            "{name}"
        );
        for condition in ["Accepted", "Applied", "Ready"] {
            assert_eq!(told(&status, condition).0, "True", "{name}: {status:?}");
        }
    }
    let table = scene.space().kubectl(&["get", "autonodelabelers"]).await.1;
    let row = table.lines().find(|line| line.starts_with("in ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[2..6], ["In", "1", "1", "Ready"], "{table}");
}

/// A node that comes later, or changes, is labelled when it matches; a labeler that no node matches is ready as well.
/// Promises: S4-29
#[tokio::test]
async fn new_and_changed_nodes_are_labelled() {
    let scene = Scene::new("events").await;
    scene
        .labeler("gpus", ("gpu", "In", &["h100"]), &[("tier", "gold")])
        .await;
    let status = scene.wait("gpus", "Ready").await;
    assert_eq!(status.matched_nodes, Some(0));
    assert!(
        sentence(&status, "Ready").starts_with("No node matches"),
        "{status:?}"
    );

    scene.node("new", &[("gpu", "h100")]).await;
    scene
        .wait_labels("new", &[("gpu", "h100"), ("tier", "gold")])
        .await;
    scene.node("other", &[("gpu", "l4")]).await;
    scene.label("other", "gpu=h100").await;
    scene
        .wait_labels("other", &[("gpu", "h100"), ("tier", "gold")])
        .await;
    let status = crate::scene::wait_status(scene.space(), "gpus", "2 nodes", |status| {
        status.labeled_nodes == Some(2)
    })
    .await;
    assert_eq!(
        sentence(&status, "Ready"),
        "All 2 nodes that match carry the labels."
    );

    // The counts follow when a node goes.
    crate::scene::delete_node(&scene.space().client, &scene.node_name("other")).await;
    crate::scene::wait_status(scene.space(), "gpus", "1 node", |status| {
        (status.matched_nodes, status.labeled_nodes) == (Some(1), Some(1))
    })
    .await;
}

/// Labelers may build on each other's labels, as prem-operator's could.
/// Promises: S4-29
#[tokio::test]
async fn labelers_build_on_each_other() {
    let scene = Scene::new("chain").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("second", ("tier", "In", &["gold"]), &[("price", "high")])
        .await;
    scene.wait("second", "Ready").await;
    scene
        .labeler("first", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("tier", "gold"), ("price", "high")])
        .await;
    scene
        .space()
        .delete::<api::premlabs_io::v1alpha1::AutoNodeLabeler>("first")
        .await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
}
