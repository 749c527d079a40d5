//! What the operator sends for `AIDeployment`s and maps, counted by the API server: each object once, each status once,
//! one Event each; nothing at rest, in resyncs, after a restart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

use std::{collections::BTreeMap, time::Duration};

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use common::{Operator, PATIENCE, Space, install, operator_access, scrape::scrape, start_operator};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use testkit::{
    Cluster, NodeSpec,
    plane::audit::{Filter, Mark, Request},
};

const USER: &str = "system:serviceaccount:llm-system:llm-operator";
/// Containers that come up, each with an Ingress.
const SERVING: usize = 6;
/// Status writes from nothing to ready with one replica: made, placed, started, waiting for readiness, ready.
const MOST_STATUSES: usize = 6;

fn document(kind: &str, name: &str, spec: &Value) -> String {
    let object =
        json!({"apiVersion": "premlabs.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    format!("---\n{object}\n")
}

/// One of everything: containers that serve, engines with files of a map and of their own, and two that never come up.
fn everything() -> String {
    let small = json!({"amount": {"requests": {"cpu": "10m"}}});
    let generic = json!({
        "engine": {"name": "generic"}, "endpoint": [{"domain": "a.example.com", "port": 8080}],
        "deployment": {
            "resources": small["amount"],
            "template": {"spec": {"containers": [{"name": "server", "image": "your-registry/gpt-small:v1"}]}},
        },
    });
    let mut odd = generic.clone();
    // Forms that the API server stores otherwise than they are written.
    odd["deployment"]["resources"] =
        json!({"requests": {"cpu": 1, "memory": "1024Mi"}, "limits": {"memory": "1.5e9"}});
    odd["env"] = json!([{"name": "A", "value": ""}, {"name": "A", "value": "b"}, {"name": "C"}]);
    odd["deployment"]["template"]["spec"]["volumes"] =
        json!([{"name": "shm", "emptyDir": {"sizeLimit": 1024}}]);
    odd["deployment"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    odd["deployment"]["readinessProbe"] = json!({"periodSeconds": 1});
    let map = json!({"localai": [{"variant": "a", "engineConfigFile": "name: a"}]});
    let reference = json!({"modelMapRef": {"name": "phi", "variant": "a"}});
    let files =
        json!({"engine": {"name": "localai"}, "models": [reference, {"engineConfigFile": "name: mine"}]});
    let wrong = json!({"engine": {"name": "tgi"}});
    let missing =
        json!({"engine": {"name": "vllm"}, "models": [{"modelMapRef": {"name": "absent", "variant": "a"}}]});
    let mut yaml = document("AIModelMap", "phi", &map);
    for index in 0..SERVING {
        yaml += &document("AIDeployment", &format!("serving-{index}"), &generic);
    }
    yaml += &document("AIDeployment", "odd", &odd);
    yaml += &document("AIDeployment", "files", &files);
    yaml += &document("AIDeployment", "wrong", &wrong);
    yaml += &document("AIDeployment", "missing", &missing);
    yaml
}

/// All but the two in trouble.
const READY: usize = SERVING + 2;
const ALL: usize = READY + 2;

fn writes(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    let mut requests = cluster
        .audit_log()
        .requests_since(mark, &Filter::user(USER))
        .unwrap();
    requests.retain(Request::is_write);
    requests
}

/// Waits until everything is as it will stay, and nothing was written for two seconds.
async fn settle(space: &Space) {
    let mut last = (BTreeMap::new(), std::time::Instant::now());
    testkit::until("everything is as it will stay", PATIENCE, async || {
        let found = space
            .api::<AIDeployment>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        let word = |wanted: &str| {
            let words = found
                .iter()
                .filter_map(|one| one.status.as_ref()?.status.as_deref());
            words.filter(|word| *word == wanted).count()
        };
        let versions = found
            .iter()
            .map(|one| (one.name_any(), one.resource_version()))
            .collect();
        if last.0 != versions {
            last = (versions, std::time::Instant::now());
        }
        let words = (word("Ready"), word("Failed"));
        if words == (READY, 2) && last.1.elapsed() > Duration::from_secs(2) {
            Ok(())
        } else {
            Err(format!("{words:?}"))
        }
    })
    .await
    .unwrap();
}

async fn reconciles(operator: &Operator) -> f64 {
    let kind = [("kind", "AIDeployment")];
    scrape(operator)
        .await
        .sum("llm_operator_reconcile_duration_seconds_count", &kind)
}

/// Waits for so many more reconciles of deployments.
async fn wait_reconciles(operator: &Operator, more: usize) {
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let wanted = reconciles(operator).await + more as f64;
    testkit::until(format!("{wanted} reconciles"), PATIENCE, async || {
        let count = reconciles(operator).await;
        (count >= wanted).then_some(())
    })
    .await
    .unwrap();
}

/// The whole life of a cluster with the prem family in it.
/// Promises: S4-7
#[tokio::test]
async fn nothing_is_written_that_need_not_be() {
    let node = NodeSpec::cpu("cpu-0").room_for(100);
    let cluster: &'static Cluster = Box::leak(Box::new(
        Cluster::builder().audit().node(node).start().await.unwrap(),
    ));
    install(cluster, true).await;
    let access = operator_access(cluster).await;
    let space = Space::of(cluster, "writes").await;
    let mut operator = start_operator(&access, "first", &["--leader-elect", "false"]).await;

    let mark = cluster.audit_log().mark();
    space.apply(&everything()).await;
    settle(&space).await;
    making_is_cheap(&writes(cluster, &mark));

    // At rest, with resyncs all the while.
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    let mark = cluster.audit_log().mark();
    let args = ["--leader-elect", "false", "--resync-period", "1s"];
    operator = start_operator(&access, "second", &args).await;
    wait_reconciles(&operator, 3 * ALL).await;
    assert_eq!(
        writes(cluster, &mark),
        [],
        "a restart and resyncs of an unchanged cluster"
    );

    an_edit_of_a_map_writes_once(cluster, &space).await;
    deletion_writes_nothing(cluster, &space, &operator).await;
}

fn making_is_cheap(writes: &[Request]) {
    let failed: Vec<_> = writes.iter().filter(|write| write.status >= 300).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for write in writes {
        *count.entry(write.resource.as_str()).or_default() += 1;
    }
    let statuses = count.remove("aideployments/status").unwrap();
    let maps = count.remove("aimodelmaps/status").unwrap();
    let expected = [
        ("configmaps", 2),
        ("deployments", READY),
        ("events", ALL),
        ("ingresses", SERVING + 1),
        ("networkpolicies", READY),
        ("services", READY),
    ];
    assert_eq!(count, expected.into());
    assert!(maps <= 2, "one for its ConfigMap, one for who uses it: {maps}");
    assert!(statuses <= READY * MOST_STATUSES + 2, "{statuses} status writes");
}

/// One file that changes is one write to the `ConfigMap` and one to the Deployment that uses it; others are not touched.
async fn an_edit_of_a_map_writes_once(cluster: &Cluster, space: &Space) {
    let mark = cluster.audit_log().mark();
    let map = json!({"localai": [{"variant": "a", "engineConfigFile": "name: b"}]});
    space.apply(&document("AIModelMap", "phi", &map)).await;
    space
        .wait("is seen", "phi", |map: &AIModelMap| {
            map.status
                .as_ref()
                .is_some_and(|status| status.observed_generation == Some(2))
        })
        .await;
    testkit::until("a write to the Deployment", PATIENCE, async || {
        let writes = writes(cluster, &mark);
        writes
            .iter()
            .any(|write| write.resource == "deployments")
            .then_some(())
    })
    .await
    .unwrap();
    settle(space).await;
    let writes = writes(cluster, &mark);
    let objects: Vec<(&str, &str)> = writes
        .iter()
        .filter(|write| !write.resource.ends_with("/status") && write.resource != "events")
        .map(|write| (write.resource.as_str(), write.name.as_str()))
        .collect();
    assert_eq!(objects.len(), 2, "{objects:?}");
    assert!(
        objects.contains(&("configmaps", "phi")) && objects.contains(&("deployments", "files")),
        "{objects:?}"
    );
    let others = writes
        .iter()
        .filter(|write| write.resource == "aideployments/status" && write.name != "files");
    assert_eq!(others.count(), 0);
}

/// Objects go by their owner; the operator forgets them, in its metrics too.
async fn deletion_writes_nothing(cluster: &Cluster, space: &Space, operator: &Operator) {
    let mark = cluster.audit_log().mark();
    let (all, params) = (ListParams::default(), kube::api::DeleteParams::default());
    space
        .api::<AIDeployment>()
        .delete_collection(&params, &all)
        .await
        .unwrap();
    testkit::until("none in the metrics and the cluster", PATIENCE, async || {
        let page = scrape(operator).await;
        let left = space
            .api::<k8s_openapi::api::apps::v1::Deployment>()
            .list(&all)
            .await
            .unwrap();
        let gone = !page.has("llm_operator_resources", &[("kind", "AIDeployment")]) && left.items.is_empty();
        gone.then_some(())
    })
    .await
    .unwrap();
    let left: Vec<_> = writes(cluster, &mark)
        .into_iter()
        .filter(|write| write.resource != "aimodelmaps/status")
        .collect();
    assert_eq!(left, [], "deletion; the map tells that nobody uses it");
}
