//! Nothing is written at rest, and what somebody changes is put right.

use serde_json::json;

use crate::bed::{Scene, dsc, looked_at, nothing, operator};

/// Looked at again and again: no write. Nor by another operator, which knows nothing of what the first has written.
/// Promises: S1-10
#[tokio::test]
async fn no_write_at_rest() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    scene.wait("default-dsc", "Ready", "True/Ready").await;
    scene.looked_at().await;
    let mark = scene.mark();
    scene.looked_at().await;
    let writes = scene.writes(&mark);
    assert!(writes.is_empty(), "{writes:?}");

    scene.set(json!({"managementState": "Removed"})).await;
    scene.wait("default-dsc", "LlmdReady", "False/Removed").await;
    scene.looked_at().await;
    let mark = scene.mark();
    let another = operator(&scene.bed.cluster, "another").await;
    looked_at(&another).await;
    scene.looked_at().await;
    let writes = scene.writes(&mark);
    assert!(writes.is_empty(), "{writes:?}");
}

/// What somebody changes of an `Llmd` that a cluster has made, adds to it or takes from it, is put right.
#[tokio::test]
async fn changed_by_hand() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    let before = scene.llmd().await.unwrap();
    for change in [
        json!({"spec": {"infra": {"version": "1.3.4"}}}),
        json!({"spec": {"infra": {"values": {"a": 1}}, "timeout": "1m", "modelService": {"enabled": false}}}),
        json!({"spec": {"infra": null}}),
        json!({"metadata": {"annotations": {"component.opendatahub.io/management-state": "Unmanaged"}}}),
    ] {
        let patch = change.to_string();
        scene
            .kubectl(&["patch", "llmd", "default-llm-d", "--type=merge", "-p", &patch])
            .await;
        scene
            .wait_llmd(&format!("{change} is undone"), |llmd| {
                let annotations = |llmd: &serde_json::Value| llmd["metadata"]["annotations"].clone();
                llmd["spec"] == before["spec"] && annotations(llmd) == annotations(&before)
            })
            .await;
    }
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    scene.looked_at().await;
    let mark = scene.mark();
    scene.looked_at().await;
    let writes = scene.writes(&mark);
    assert!(writes.is_empty(), "{writes:?}");
}
