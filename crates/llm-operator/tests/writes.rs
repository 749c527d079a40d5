//! What the operator sends, counted by the API server: nothing that is not needed to make, nothing at rest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use api::llm_example_com::v1alpha1::LLMDeployment;
use common::{Operator, PATIENCE, Space, install, operator_access, scrape::scrape, start_operator};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
    runtime::{WatchStreamExt, watcher},
};
use testkit::{
    Cluster, NodeSpec,
    plane::audit::{Filter, Mark, Request},
};
use tokio::sync::OnceCell;

const USER: &str = "system:serviceaccount:llm-system:llm-operator";
/// Deployments that come up with one replica: three children each.
const SINGLE: usize = 22;
/// Deployments that come up with two replicas: a budget as fourth child.
const DOUBLE: usize = 4;
/// Deployments that never come up: no model, no such image, no such GPU, one each; the last two have children.
const TROUBLED: [(&str, &str); 3] = [
    ("no-model", "ModelNotFound"),
    ("no-image", "ImageNotFound"),
    ("no-gpu", "NoSuchGpu"),
];
const ALL: usize = SINGLE + DOUBLE + TROUBLED.len();
/// The models `small`, `imageless` and `greedy`.
const MODELS: usize = 3;

/// Whether an optional definition has come is asked from time to time; there is nothing to watch before.
const OPTIONAL: [&str; 2] = [
    "/apis/nvidia.com/v1",
    "/apis/datasciencecluster.opendatahub.io/v2",
];

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let node = NodeSpec::cpu("cpu-0").room_for(200);
            let cluster = Cluster::builder().audit().node(node).start().await.unwrap();
            install(&cluster, true).await;
            cluster
        })
        .await
}

fn model(name: &str, image: &str, more: &str) -> String {
    format!(
        "---\napiVersion: llm.example.com/v1alpha1\nkind: LLMModel\nmetadata: {{name: {name}}}\nspec:
  modelName: Some\n  image: {image}\n  resources: {{cpu: 10m, memory: 64Mi}}\n{more}"
    )
}

fn deployment(name: &str, model: &str, replicas: usize) -> String {
    format!(
        "---\napiVersion: llm.example.com/v1alpha1\nkind: LLMDeployment\nmetadata: {{name: {name}}}\nspec:
  modelRef: {model}\n  replicas: {replicas}\n"
    )
}

fn everything() -> String {
    let mut yaml = model("small", "your-registry/gpt-small:v1", "");
    yaml += &model("imageless", "your-registry/no-such-model:v1", "");
    yaml += &model("greedy", "your-registry/gpt-small:v1", "  gpu: {count: 4}\n");
    for index in 0..SINGLE {
        write!(yaml, "{}", deployment(&format!("single-{index:02}"), "small", 1)).unwrap();
    }
    for index in 0..DOUBLE {
        write!(yaml, "{}", deployment(&format!("double-{index:02}"), "small", 2)).unwrap();
    }
    yaml += &deployment("no-model", "nowhere", 1);
    yaml += &deployment("no-image", "imageless", 1);
    yaml += &deployment("no-gpu", "greedy", 1);
    yaml
}

/// The requests of the operator since `mark`, but those for the lease.
fn requests(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    cluster
        .audit_log()
        .requests_since(mark, &Filter::user(USER))
        .unwrap()
}

fn writes(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    let mut requests = requests(cluster, mark);
    requests.retain(Request::is_write);
    requests
}

/// Every status that a deployment had, in order, as seen by a watch.
type Statuses = BTreeMap<String, Vec<serde_json::Value>>;

/// Watches the deployments until the task is ended through the handle.
async fn record(
    api: Api<LLMDeployment>,
) -> (
    tokio::sync::oneshot::Sender<()>,
    tokio::task::JoinHandle<Statuses>,
) {
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let (known, mut is_known) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(async move {
        let mut stream = watcher::watcher(api, watcher::Config::default())
            .default_backoff()
            .boxed();
        let mut seen = Statuses::new();
        loop {
            let event = tokio::select! {
                biased;
                event = stream.next() => event.unwrap(),
                _ = &mut stopped => return seen,
            };
            // A definition that was just installed is not served at once; the watch goes on where it was.
            let Ok(event) = event else { continue };
            let again = matches!(event, watcher::Event::Init) && *known.borrow();
            assert!(!again, "the watch had to list again");
            if matches!(event, watcher::Event::InitDone) {
                known.send(true).unwrap();
            }
            if let watcher::Event::Apply(object) | watcher::Event::InitApply(object) = event
                && let Some(status) = &object.status
            {
                let status = serde_json::to_value(status).unwrap();
                let before = seen.entry(object.name_any()).or_default();
                if before.last() != Some(&status) {
                    before.push(status);
                }
            }
        }
    });
    is_known.wait_for(|known| *known).await.unwrap();
    (stop, task)
}

/// Waits until everything is as it will stay, and nothing was written for a while.
async fn settle(space: &Space) {
    for index in 0..SINGLE {
        space.wait_state(&format!("single-{index:02}"), "Ready").await;
    }
    for index in 0..DOUBLE {
        space.wait_state(&format!("double-{index:02}"), "Ready").await;
    }
    for (name, reason) in TROUBLED {
        space.wait_reason(name, reason).await;
    }
    let api = space.api::<LLMDeployment>();
    let mut last = (BTreeSet::new(), std::time::Instant::now());
    testkit::until("nothing changes for 4 s", PATIENCE, async || {
        let found = api.list(&ListParams::default()).await.unwrap();
        let now: BTreeSet<_> = found
            .items
            .iter()
            .map(|item| (item.name_any(), item.resource_version()))
            .collect();
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(4)).then_some(())
    })
    .await
    .unwrap();
}

/// Names of the events of our resources.
async fn events(space: &Space) -> BTreeSet<String> {
    let all = space.api::<Event>().list(&ListParams::default()).await.unwrap();
    let ours = all.items.iter().filter(|event| {
        let kind = event.involved_object.kind.as_deref();
        matches!(kind, Some("LLMDeployment" | "LLMModel"))
    });
    ours.map(ResourceExt::name_any).collect()
}

async fn reconciles(operator: &Operator) -> f64 {
    let page = scrape(operator).await;
    page.sum(
        "llm_operator_reconcile_duration_seconds_count",
        &[("kind", "LLMDeployment")],
    )
}

async fn wait_reconciles(operator: &Operator, more_than: f64) {
    testkit::until(format!("{more_than} reconciles"), PATIENCE, async || {
        let count = reconciles(operator).await;
        if count >= more_than {
            Ok(())
        } else {
            Err(format!("{count}"))
        }
    })
    .await
    .unwrap();
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn times(resyncs: usize) -> f64 {
    (resyncs * ALL) as f64
}

/// What is written for a new resource: each child once, each new status once, one event; and then nothing more: at
/// rest, in a resync, after a restart, on deletion.
#[tokio::test]
async fn nothing_is_written_that_need_not_be() {
    let cluster = cluster().await;
    let access = operator_access(cluster).await;
    let space = Space::of(cluster, "writes").await;
    let mut operator = start_operator(&access, "first", &[]).await;
    let (stop, statuses) = record(space.api()).await;
    let mark = cluster.audit_log().mark();
    space.apply(&everything()).await;
    settle(&space).await;
    stop.send(()).unwrap();
    creation_is_cheap(&writes(cluster, &mark), &statuses.await.unwrap());
    let told = events(&space).await;
    assert_eq!(told.len(), ALL, "one event each: {told:?}");

    // At rest: the lease and nothing else, neither read nor write.
    let mark = cluster.audit_log().mark();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut at_rest = requests(cluster, &mark);
    at_rest.retain(|request| !OPTIONAL.contains(&request.uri.as_str()));
    assert_eq!(at_rest, [], "at rest");
    let with_lease = Filter::user(USER).with_leases();
    let lease = cluster.audit_log().count_since(&mark, &with_lease).unwrap();
    assert!(
        lease.of("update", "leases") >= 5 && lease.writes() == lease.of("update", "leases"),
        "{lease}"
    );

    // A restart, and resyncs by the new process: it looks at everything several times.
    let mark = cluster.audit_log().mark();
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    operator = start_operator(&access, "second", &["--resync-period", "2s"]).await;
    wait_reconciles(&operator, times(1)).await;
    let after_start = cluster.audit_log().mark();
    let known = reconciles(&operator).await;
    wait_reconciles(&operator, known + times(4)).await;
    assert_eq!(
        writes(cluster, &mark),
        [],
        "a restart and resyncs of an unchanged cluster"
    );
    resyncs_read_from_caches(&requests(cluster, &mark), &requests(cluster, &after_start));
    assert_eq!(events(&space).await, told, "nothing is told again");

    deletion_writes_nothing(cluster, &space, &operator).await;
}

/// A reconcile may come before the start's last watch is open, so a watch is no read; but each opens only once.
fn resyncs_read_from_caches(since_restart: &[Request], since_start: &[Request]) {
    let reads: Vec<_> = since_start
        .iter()
        .filter(|request| request.verb != "watch" && !OPTIONAL.contains(&request.uri.as_str()))
        .collect();
    assert!(reads.is_empty(), "resyncs read from caches alone: {reads:#?}");
    let mut watches = BTreeSet::new();
    for watch in since_restart.iter().filter(|request| request.verb == "watch") {
        let (what, _) = watch
            .uri
            .split_once("&resourceVersion")
            .unwrap_or((&watch.uri, ""));
        assert!(watches.insert(what), "a second watch: {watch:#?}");
    }
}

fn creation_is_cheap(writes: &[Request], statuses: &Statuses) {
    let failed: Vec<_> = writes.iter().filter(|write| write.status >= 300).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let count = |resource: &str| writes.iter().filter(|write| write.resource == resource).count();
    let with_children = ALL - 1;
    for (resource, expected) in [
        ("deployments", with_children),
        ("services", with_children),
        ("networkpolicies", with_children),
        ("poddisruptionbudgets", DOUBLE),
        ("events", ALL),
        ("llmmodels/status", MODELS),
    ] {
        assert_eq!(count(resource), expected, "writes of {resource}");
    }
    for (name, statuses) in statuses {
        let written = writes
            .iter()
            .filter(|write| write.resource == "llmdeployments/status" && write.name == *name)
            .count();
        assert_eq!(
            written,
            statuses.len(),
            "{name}: one write per status: {statuses:#?}"
        );
        // Every write says something new: no status comes twice.
        let distinct: BTreeSet<String> = statuses.iter().map(ToString::to_string).collect();
        assert_eq!(
            distinct.len(),
            statuses.len(),
            "{name} went back to a status: {statuses:#?}"
        );
        // Made, placed, starting, loading, waiting for readiness, ready: at most these for each Pod.
        let limit = if name.starts_with("double") { 10 } else { 6 };
        assert!(written <= limit, "{name}: {written} status writes: {statuses:#?}");
    }
    assert_eq!(statuses.len(), ALL);
    let accounted = 3 * with_children + DOUBLE + ALL + MODELS + count("llmdeployments/status");
    assert_eq!(writes.len(), accounted, "a write of another kind: {writes:#?}");
}

/// Children go by their owner; the operator forgets the resources, in its metrics too.
async fn deletion_writes_nothing(cluster: &Cluster, space: &Space, operator: &Operator) {
    let states = "llm_operator_resources";
    let page = scrape(operator).await;
    assert!(page.has(states, &[("kind", "LLMDeployment"), ("state", "Ready")]));
    let mark = cluster.audit_log().mark();
    let api = space.api::<LLMDeployment>();
    api.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .unwrap();
    testkit::until("no deployment in the metrics", PATIENCE, async || {
        let page = scrape(operator).await;
        let left = page.sum(states, &[("kind", "LLMDeployment")]);
        if page.has(states, &[("kind", "LLMDeployment")]) {
            Err(format!("{left}"))
        } else {
            Ok(())
        }
    })
    .await
    .unwrap();
    testkit::until("the children are gone", PATIENCE, async || {
        let children = space.api::<k8s_openapi::api::apps::v1::Deployment>();
        let left = children.list(&ListParams::default()).await.unwrap().items.len();
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} Deployments"))
        }
    })
    .await
    .unwrap();
    assert_eq!(writes(cluster, &mark), [], "deletion");
}
