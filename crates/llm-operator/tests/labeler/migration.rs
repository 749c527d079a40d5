//! Labels that prem-operator has set: its updates are known by the field manager `manager`.

use api::premlabs_io::v1alpha1::AutoNodeLabeler;

use crate::scene::{Scene, labels_of, update_label};

/// They are taken over, so that they can change and go; nothing on the node changes for that. What no labeler names
/// stays.
/// Promises: S4-29
#[tokio::test]
async fn labels_of_prem_operator_are_taken_over() {
    let scene = Scene::new("migration").await;
    let client = scene.space().client.clone();
    for node in ["a", "b"] {
        scene.node(node, &[("gpu", "h100")]).await;
        let node = scene.node_name(node);
        for (name, value) in [("foo", "baz"), ("unnamed", "1")] {
            update_label(&client, &node, &scene.key(name), value, "manager").await;
        }
    }
    let mark = scene.mark().await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("foo", "baz")])
        .await;
    let before = [("gpu", "h100"), ("foo", "baz"), ("unnamed", "1")];
    scene.wait("gpus", "Ready").await;
    let claim = format!("f:{}:", scene.key("foo"));
    for node in ["a", "b"] {
        let name = scene.node_name(node);
        let get = ["get", "node", &name, "-o", "yaml", "--show-managed-fields"];
        testkit::until("it is taken over", crate::common::PATIENCE, async || {
            let managers = scene.space().kubectl(&get).await.1;
            (managers.matches(&claim).count() == 1 && managers.contains("llm-operator-node-labels"))
                .then_some(())
                .ok_or(managers)
        })
        .await
        .unwrap();
        // An apply and the taking over; only what another writer's conflict has undone is written again.
        testkit::until("two writes are known", crate::common::PATIENCE, async || {
            let mut writes = scene.node_writes(&mark).await;
            writes.retain(|write| write.name == name && write.status != 409);
            (writes.len() == 2).then_some(()).ok_or(format!("{writes:?}"))
        })
        .await
        .unwrap();
    }
    scene.wait_labels("a", &before).await;

    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("foo", "qux")])
        .await;
    scene
        .wait_labels("a", &[("gpu", "h100"), ("foo", "qux"), ("unnamed", "1")])
        .await;
    scene.label("b", "gpu-").await;
    scene.wait_labels("b", &[("unnamed", "1")]).await;
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    scene.space().wait_gone::<AutoNodeLabeler>("gpus").await;
    let left = labels_of(&client, &scene.node_name("a"), &scene.space().namespace).await;
    assert_eq!(left.len(), 2, "{left:?}");
}
