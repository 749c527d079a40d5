//! A cluster in which nothing happens is not written to: at rest, in resyncs, after a restart; and specs never are.

use std::time::Duration;

use api::{
    ai_example_com::v1::{LLMModel, ModelDeployment},
    nvidia_com::v1::DynamoGraphDeployment,
};
use serde_json::{Value, json};
use testkit::{
    Cluster, NodeOptions, NodeSpec,
    node::Speed,
    plane::audit::{Filter, Mark, Request},
};
use tokio::sync::OnceCell;

use crate::{
    common::{Operator, PATIENCE, Space, install, operator_access, scrape::scrape, start_operator},
    seen::{condition, kubectl, resource, small, small_set, token, wait_reason, wait_state, wait_status},
};

const USER: &str = "system:serviceaccount:llm-system:llm-operator";
/// Resources of the test: what serves, and what is refused.
const ALL: f64 = 6.0;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let options = NodeOptions {
                speed: Speed::loading(1000.0),
                ..NodeOptions::default()
            };
            let builder = Cluster::builder().audit().node_options(options);
            let cluster = builder
                .node(NodeSpec::h100("gpu-0", 8))
                .node(NodeSpec::h100("gpu-1", 8))
                .start()
                .await
                .unwrap();
            install(&cluster, true).await;
            let optional = serde_json::to_string(&api::optional_crds()[0]).unwrap();
            cluster.apply_yaml(&optional).await.unwrap();
            cluster
        })
        .await
}

fn writes(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    let mut requests = cluster
        .audit_log()
        .requests_since(mark, &Filter::user(USER))
        .unwrap();
    requests.retain(Request::is_write);
    requests
}

/// Waits until every resource was looked at so many times more.
async fn looked_at(operator: &Operator, times: f64) {
    let count = async || {
        let page = scrape(operator).await;
        page.sum("llm_operator_reconcile_duration_seconds_count", &[])
    };
    let before = count().await;
    testkit::until(format!("{times} looks at each"), PATIENCE, async || {
        let now = count().await;
        if now >= before + times * ALL {
            Ok(())
        } else {
            Err(format!("{before} {now}"))
        }
    })
    .await
    .unwrap();
}

/// Waits until nothing was written for a while.
async fn settled(cluster: &Cluster) {
    testkit::until("nothing is written for 5 s", PATIENCE, async || {
        let mark = cluster.audit_log().mark();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let found = writes(cluster, &mark);
        if found.is_empty() {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await
    .unwrap();
}

/// All statuses of what is scaled, as text.
async fn statuses(space: &Space) -> String {
    let kinds = "llmmodels.ai.example.com,modeldeployments,dynamographdeployments";
    kubectl(
        space,
        &[
            "get",
            kinds,
            "-o",
            "jsonpath={range .items[*]}{.kind}{.status}{'\\n'}{end}",
        ],
    )
    .await
}

/// Promises: S3-25, S3-27
#[tokio::test]
async fn nothing_is_written_that_need_not_be() {
    let cluster = cluster().await;
    let access = operator_access(cluster).await;
    let start = cluster.audit_log().mark();
    let mut operator = start_operator(&access, "quiet-first", &[]).await;
    let space = Space::of(cluster, "quiet").await;
    token(&space).await;
    let graph = json!({"model": {"name": "qwen2.5-7b", "placement": {"tensor_parallel_size": 2}}, "sla": {"max_latency_ms": 100}});
    for (kind, name, spec) in [
        ("LLMModel", "plain", small(json!({"replicas": 2}))),
        (
            "LLMModel",
            "chosen",
            json!({"modelName": "qwen2.5-0.5b", "scaling": {"timePerOutputToken": "100ms"}}),
        ),
        (
            "ModelDeployment",
            "set",
            small_set(json!({"replicas": 2, "sla": {"maxLatency": "100ms"}})),
        ),
        ("DynamoGraphDeployment", "graph", graph),
        ("LLMModel", "unknown", json!({"modelName": "nobody"})),
        (
            "ModelDeployment",
            "nowhere",
            small_set(json!({"gpuType": "A100"})),
        ),
    ] {
        space.apply(&resource(kind, name, spec)).await;
    }
    for name in ["plain", "chosen"] {
        wait_state::<LLMModel>(&space, name, "Ready").await;
    }
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    wait_state::<DynamoGraphDeployment>(&space, "graph", "Ready").await;
    wait_reason::<LLMModel>(&space, "unknown", "UnknownModel").await;
    wait_reason::<ModelDeployment>(&space, "nowhere", "NoSuchNode").await;
    // What is known of the engines after their first minute.
    let observable = |status: &Value| condition(status, "LatencyObservable")["status"] == "True";
    wait_status::<LLMModel>(&space, "chosen", "observed", observable).await;
    wait_status::<ModelDeployment>(&space, "set", "observed", observable).await;
    wait_status::<DynamoGraphDeployment>(&space, "graph", "observed", observable).await;
    settled(cluster).await;

    let mark = cluster.audit_log().mark();
    let before = statuses(&space).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(statuses(&space).await, before, "at rest");
    assert_eq!(writes(cluster, &mark), [], "at rest");

    let mark = cluster.audit_log().mark();
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    operator = start_operator(&access, "quiet-second", &["--resync-period", "2s"]).await;
    looked_at(&operator, 4.0).await;
    // What was learned of the load is learned again, and the statuses of what is scaled tell it; nothing else is written.
    let mut news = writes(cluster, &mark);
    let scaled = |write: &Request| ["chosen", "set", "graph"].contains(&write.name.as_str());
    news.retain(|write| !(scaled(write) && write.resource.ends_with("/status")));
    assert_eq!(news, [], "a restart and resyncs");

    let all = writes(cluster, &start);
    let ours = ["llmmodels", "modeldeployments", "dynamographdeployments"];
    let specs: Vec<&Request> = all
        .iter()
        .filter(|write| ours.contains(&write.resource.as_str()))
        .collect();
    assert!(specs.is_empty(), "a spec is never written: {specs:#?}");
    let failed: Vec<&Request> = all.iter().filter(|write| write.status >= 400).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
