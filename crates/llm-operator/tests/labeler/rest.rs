//! How much is written: one apply per node with the union, and nothing at rest.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    common::{Operator, PATIENCE, operator_access, scrape::scrape, stand::cluster, start_operator},
    scene::{Scene, requests},
};

async fn reconciles(operator: &Operator, kind: &str) -> f64 {
    let page = scrape(operator).await;
    page.sum("llm_operator_reconcile_duration_seconds_count", &[("kind", kind)])
}

/// Five labelers and ten nodes: one apply per node, however many labelers it matches; one finalizer and few statuses per
/// labeler; and after that nothing, whatever the nodes' heartbeats, resyncs and a restart.
/// Promises: S4-29
#[tokio::test]
async fn one_apply_per_node_and_none_at_rest() {
    let mut scene = Scene::new("rest").await;
    // Labelers that come one by one while it runs are applied as they come.
    scene.stand.operator.process.kill9();
    let nodes: Vec<String> = (0..10).map(|index| format!("n{index}")).collect();
    for node in &nodes {
        scene.node(node, &[("gpu", "h100")]).await;
    }
    let mark = scene.mark().await;
    for index in 0..5 {
        let name = format!("l{index}");
        scene
            .labeler(&name, ("gpu", "Exists", &[]), &[(&name, "yes"), ("all", "yes")])
            .await;
    }
    let access = operator_access(cluster().await).await;
    let name = scene.space().namespace.clone();
    let args = [
        "--leader-elect",
        "false",
        "--lease-name",
        &name,
        "--watch-namespace",
        &name,
        "--resync-period",
        "1s",
    ];
    scene.stand.operator = start_operator(&access, &format!("{name}-resync"), &args).await;
    for index in 0..5 {
        scene.wait(&format!("l{index}"), "Ready").await;
    }
    let writes = scene.node_writes(&mark).await;
    let mut per_node: BTreeMap<&str, usize> = BTreeMap::new();
    for write in &writes {
        *per_node.entry(&write.name).or_default() += 1;
    }
    assert_eq!(per_node.len(), 10, "{per_node:?}");
    assert!(per_node.values().all(|count| *count == 1), "{per_node:?}");
    let own: Vec<_> = requests(cluster().await, &mark)
        .into_iter()
        .filter(|request| request.namespace == scene.space().namespace)
        .collect();
    let count = |resource: &str| own.iter().filter(|request| request.resource == resource).count();
    assert_eq!(count("autonodelabelers"), 5, "a finalizer each: {own:#?}");
    assert!((5..=10).contains(&count("autonodelabelers/status")), "{own:#?}");

    // A new node: one apply with the labels of all.
    let mark = scene.mark().await;
    scene.node("late", &[("gpu", "h100")]).await;
    testkit::until("all labels", PATIENCE, async || {
        let name = scene.node_name("late");
        let labels = crate::scene::labels_of(&scene.space().client, &name, &scene.space().namespace).await;
        if labels.len() == 7 {
            Ok(())
        } else {
            Err(format!("{labels:?}"))
        }
    })
    .await
    .unwrap();
    let writes = scene.wait_node_writes(&mark, 1).await;
    assert_eq!(writes.len(), 1, "{writes:?}");
    for index in 0..5 {
        crate::scene::wait_status(scene.space(), &format!("l{index}"), "11 nodes", |status| {
            status.labeled_nodes == Some(11)
        })
        .await;
    }

    // Heartbeats, resyncs, a restart.
    let mark = scene.mark().await;
    heartbeat(&scene, &nodes).await;
    let before = reconciles(&scene.stand.operator, "Node").await;
    wait_reconciles(&scene.stand.operator, before + 33.0).await;
    let stand = &mut scene.stand;
    assert_eq!(stand.operator.process.terminate(PATIENCE).await.unwrap(), 0);
    stand.restart().await;
    wait_reconciles(&scene.stand.operator, 11.0).await;
    let labelers = reconciles(&scene.stand.operator, "AutoNodeLabeler").await;
    testkit::until("labelers looked at", PATIENCE, async || {
        let now = reconciles(&scene.stand.operator, "AutoNodeLabeler").await;
        (now >= labelers.max(5.0)).then_some(()).ok_or(now)
    })
    .await
    .unwrap();
    let own: Vec<_> = requests(cluster().await, &mark)
        .into_iter()
        .filter(|request| request.namespace == scene.space().namespace || request.resource == "nodes")
        .filter(|request| {
            request.namespace == scene.space().namespace || request.uri.contains(&scene.space().namespace)
        })
        .collect();
    assert!(own.is_empty(), "{own:#?}");
}

/// A heartbeat of a node wakes nobody.
#[tokio::test]
async fn heartbeats_wake_nobody() {
    let scene = Scene::new("heartbeats").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait("gpus", "Ready").await;
    // The other tests' nodes change as well: what counts is that this one's heartbeats add nothing to that.
    let resource_version = |node: &Node| node.metadata.resource_version.clone();
    let nodes: Api<Node> = Api::all(scene.space().client.clone());
    let name = scene.node_name("a");
    let before = nodes.get(&name).await.unwrap();
    let mark = scene.mark().await;
    for _ in 0..20 {
        heartbeat(&scene, &["a".to_owned()]).await;
    }
    let after = nodes.get(&name).await.unwrap();
    assert_ne!(resource_version(&before), resource_version(&after));
    // A change that does count is behind them in the same watch: when it is done, they were seen.
    scene.label("a", "gpu-").await;
    scene.wait_labels("a", &[]).await;
    assert_eq!(scene.wait_node_writes(&mark, 1).await.len(), 1);
}

async fn heartbeat(scene: &Scene, nodes: &[String]) {
    let api: Api<Node> = Api::all(scene.space().client.clone());
    for node in nodes {
        let now = jiff::Timestamp::now().to_string();
        let patch = json!({"status": {"conditions": [{
            "type": "DiskPressure", "status": "False", "reason": "Fine", "message": now,
            "lastHeartbeatTime": jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap().to_string(),
        }]}});
        let name = scene.node_name(node);
        let params = PatchParams::default();
        api.patch_status(&name, &params, &Patch::Strategic(patch))
            .await
            .unwrap();
    }
}

async fn wait_reconciles(operator: &Operator, count: f64) {
    testkit::until(format!("{count} reconciles of nodes"), PATIENCE, async || {
        let now = reconciles(operator, "Node").await;
        (now >= count).then_some(()).ok_or(now)
    })
    .await
    .unwrap();
}
