//! Two labelers that disagree, and labels that somebody else has set: told, never fought over.

use api::{premlabs_io::v1alpha1::AutoNodeLabeler, shared::State};

use crate::scene::{Scene, sentence, told, update_label};

/// The older labeler wins, the younger is told key, nodes and winner, and the nodes are not written to and fro. When
/// the older one goes, the younger has its way.
/// Promises: S4-29
#[tokio::test]
async fn two_labelers_that_disagree() {
    let scene = Scene::new("dispute").await;
    for name in ["a", "b"] {
        scene.node(name, &[("gpu", "h100")]).await;
    }
    scene.node("c", &[("gpu", "l4")]).await;
    scene
        .labeler("z-old", ("gpu", "In", &["h100"]), &[("tier", "gold")])
        .await;
    scene.wait("z-old", "Ready").await;
    // Creation times are whole seconds; within one the name decides, and the test is not about that.
    let old: AutoNodeLabeler = scene.space().api().get("z-old").await.unwrap();
    let created = old.metadata.creation_timestamp.unwrap().0;
    testkit::until("the next second", crate::common::PATIENCE, async || {
        (jiff::Timestamp::now().as_second() > created.as_second())
            .then_some(())
            .ok_or("not yet")
    })
    .await
    .unwrap();
    scene
        .labeler(
            "a-young",
            ("gpu", "Exists", &[]),
            &[("tier", "lead"), ("own", "1")],
        )
        .await;

    let gold = [("gpu", "h100"), ("tier", "gold"), ("own", "1")];
    scene.wait_labels("a", &gold).await;
    scene.wait_labels("b", &gold).await;
    scene
        .wait_labels("c", &[("gpu", "l4"), ("tier", "lead"), ("own", "1")])
        .await;
    let status = scene.wait("a-young", "LabelConflict").await;
    assert_eq!(status.state, Some(State::Blocked));
    assert_eq!((status.matched_nodes, status.labeled_nodes), (Some(3), Some(1)));
    assert_eq!(told(&status, "Accepted"), ("True", "Accepted"));
    assert_eq!(told(&status, "Applied"), ("False", "LabelConflict"));
    for words in [
        scene.key("tier").as_str(),
        "2 of 3 nodes",
        "AutoNodeLabeler z-old comes first",
    ] {
        assert!(sentence(&status, "Ready").contains(words), "{words}: {status:?}");
    }
    let winner = crate::scene::wait_status(scene.space(), "z-old", "it knows", |status| {
        sentence(status, "Ready").contains("AutoNodeLabeler a-young asks for another value")
    })
    .await;
    assert_eq!(winner.state, Some(State::Ready));

    // Anything that wakes them changes nothing.
    let mark = scene.mark().await;
    scene.label("a", "noise=1").await;
    scene.label("a", "noise-").await;
    scene.node("d", &[("gpu", "none")]).await;
    scene
        .wait_labels("d", &[("gpu", "none"), ("tier", "lead"), ("own", "1")])
        .await;
    let writes = scene.node_writes(&mark).await;
    assert!(
        writes.iter().all(|write| write.name == scene.node_name("d")),
        "{writes:?}"
    );

    scene.space().delete::<AutoNodeLabeler>("z-old").await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("tier", "lead"), ("own", "1")])
        .await;
    scene.wait("a-young", "Ready").await;
}

/// A label that somebody else has set is left alone: with another value it is told, with the same value it is not ours
/// to remove. When it goes, the labeler sets its own.
/// Promises: S4-29
#[tokio::test]
async fn a_label_of_somebody_else_is_left_alone() {
    let scene = Scene::new("taken").await;
    scene.node("a", &[("gpu", "h100"), ("tier", "theirs")]).await;
    scene.node("b", &[("gpu", "h100"), ("tier", "gold")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold"), ("own", "1")])
        .await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("tier", "theirs"), ("own", "1")])
        .await;
    scene
        .wait_labels("b", &[("gpu", "h100"), ("tier", "gold"), ("own", "1")])
        .await;
    let status = scene.wait("gpus", "LabelTaken").await;
    assert_eq!((status.matched_nodes, status.labeled_nodes), (Some(2), Some(1)));
    let node = scene.node_name("a");
    for words in [
        "1 of 2 nodes",
        "kubelet has set another value",
        node.as_str(),
        "kubectl label node",
    ] {
        assert!(sentence(&status, "Ready").contains(words), "{words}: {status:?}");
    }

    scene.label("a", "tier-").await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("tier", "gold"), ("own", "1")])
        .await;
    scene.wait("gpus", "Ready").await;
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    scene.wait_labels("a", &[("gpu", "h100")]).await;
    scene.wait_labels("b", &[("gpu", "h100"), ("tier", "gold")]).await;
}

/// Who changes a label of ours has it: it is not changed back and forth.
/// Promises: S4-29
#[tokio::test]
async fn whoever_changes_a_label_of_ours_has_it() {
    let scene = Scene::new("overwritten").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "gold")]).await;
    scene.wait("gpus", "Ready").await;
    let mark = scene.mark().await;
    let (client, node) = (&scene.space().client, scene.node_name("a"));
    update_label(client, &node, &scene.key("tier"), "lead", "some-controller").await;
    let status = scene.wait("gpus", "LabelTaken").await;
    assert!(
        sentence(&status, "Ready").contains("some-controller has"),
        "{status:?}"
    );
    assert_eq!(scene.node_writes(&mark).await.len(), 0);
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "lead")]).await;
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    scene.space().wait_gone::<AutoNodeLabeler>("gpus").await;
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "lead")]).await;
}

/// A program that removes a label again and again is told, and not fought without a pause; labels of other nodes go on.
#[tokio::test]
async fn a_label_that_goes_again_and_again_is_told() {
    let scene = Scene::new("fight").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    let labelled = [("gpu", "h100"), ("tier", "gold")];
    scene.wait_labels("a", &labelled).await;
    for _ in 0..4 {
        scene.wait_labels("a", &labelled).await;
        scene.label("a", "tier-").await;
    }
    let status = scene.wait("gpus", "LabelsRefused").await;
    for words in [scene.key("tier").as_str(), "4 times", "which program removes it"] {
        assert!(sentence(&status, "Ready").contains(words), "{words}: {status:?}");
    }
    scene.node("b", &[("gpu", "h100")]).await;
    scene.wait_labels("b", &labelled).await;
    // When it is left alone, it is put back.
    scene.wait_labels("a", &labelled).await;
    scene.wait("gpus", "Ready").await;
}
