//! Ten labelers and a thousand nodes: one apply each, few statuses, nothing at rest.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};

use crate::{
    common::{PATIENCE, Space, operator_access, scrape::scrape, start_operator},
    scene::{labeler, make_node, requests, wait_status},
};

const NODES: usize = 1000;
const LABELERS: usize = 10;

/// The writes of a start on a cluster full of nodes, and none in a resync after it.
/// Promises: S4-29
#[tokio::test]
async fn a_thousand_nodes_are_a_thousand_applies() {
    let cluster = crate::whole_cluster::own_cluster().await;
    let space = Space::of(cluster, "scale").await;
    stream::iter(0..NODES)
        .for_each_concurrent(16, |index| {
            let client = space.client.clone();
            async move {
                let labels = [("example.com/gpu".to_owned(), "h100".to_owned())].into();
                make_node(&client, &format!("node-{index:04}"), &labels).await;
            }
        })
        .await;
    for index in 0..LABELERS {
        let labels: BTreeMap<String, &str> = [
            (format!("example.com/l{index}"), "yes"),
            ("example.com/all".to_owned(), "yes"),
        ]
        .into();
        space
            .apply(&labeler(
                &format!("l{index}"),
                "example.com/gpu",
                "Exists",
                &[],
                &labels,
            ))
            .await;
    }
    let mark = cluster.audit_log().mark();
    let access = operator_access(cluster).await;
    let args = ["--leader-elect", "false", "--resync-period", "5s"];
    let operator = start_operator(&access, "scale", &args).await;
    let all = i32::try_from(NODES).unwrap();
    for index in 0..LABELERS {
        wait_status(&space, &format!("l{index}"), "all nodes", |status| {
            status.labeled_nodes == Some(all)
        })
        .await;
    }
    let nodes: Api<Node> = Api::all(space.client.clone());
    for node in nodes.list(&ListParams::default()).await.unwrap() {
        let labels = node.metadata.labels.unwrap();
        let ours = labels.keys().filter(|key| key.starts_with("example.com/"));
        assert_eq!(ours.count(), LABELERS + 2, "{labels:?}");
    }
    let writes = requests(cluster, &mark);
    let count = |resource: &str| writes.iter().filter(|write| write.resource == resource).count();
    assert_eq!(count("nodes"), NODES);
    assert_eq!(count("autonodelabelers"), LABELERS, "a finalizer each");
    let statuses = count("autonodelabelers/status");
    assert!(statuses <= LABELERS * 10, "{statuses} status writes");

    // The Events of what was just done come after the statuses.
    testkit::until("nothing written for five seconds", PATIENCE, async || {
        let writes = requests(cluster, &mark);
        let last = writes.iter().map(|write| write.answered).max().unwrap();
        let quiet = jiff::Timestamp::now().duration_since(last).as_secs();
        (quiet >= 5).then_some(()).ok_or(quiet)
    })
    .await
    .unwrap();
    let mark = cluster.audit_log().mark();
    let looks = async || {
        let page = scrape(&operator).await;
        page.sum(
            "llm_operator_reconcile_duration_seconds_count",
            &[("kind", "Node")],
        )
    };
    let before = looks().await;
    testkit::until("two resyncs", PATIENCE, async || {
        let now = looks().await;
        (now >= before + 2000.0).then_some(()).ok_or(now)
    })
    .await
    .unwrap();
    let writes = requests(cluster, &mark);
    assert!(writes.is_empty(), "{writes:#?}");
}
