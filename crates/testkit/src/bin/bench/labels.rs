//! Labels on nodes: ten labelers are created at once on a bare plane full of nodes, and every node gets its labels.
//!
//! In: a number of nodes. Out: rows and bars for both subjects. The floor is one apply per node with the union of all
//! labels; the minimal client is told the nodes' names and uids, the operator finds out by itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};
use testkit::plane::audit::{Filter, Mark, Request};

use crate::{
    bars::Bar,
    bed::Bed,
    journal::milliseconds,
    options::{Options, Plane},
    report::Report,
    run::{count, percentile},
    subject::{Subject, Which},
    templates::{NAME, Templates, UID, Write},
    workload::{Created, NAMESPACE},
};

/// Labelers that match every node; each sets a label of its own and one that all of them set.
const LABELERS: usize = 10;
/// Labels that a node has without them, as a cloud's nodes with GPU feature discovery have.
const OWN_LABELS: usize = 25;
/// Nodes are created so many at a time.
const AT_ONCE: usize = 16;
/// Longest that a subject may take.
const LIMIT: Duration = Duration::from_mins(5);
/// After its start a subject looks at every node once; that is not measured.
const STARTED: Duration = Duration::from_secs(2);
/// So often the audit log is read.
const LOOK: Duration = Duration::from_millis(100);
/// So long nothing may be written before it counts as done: longer than statuses are held back.
const QUIET: Duration = Duration::from_secs(4);

/// What one subject did.
#[derive(Debug, Clone, Copy)]
struct Labelled {
    /// Seconds until the first apply was received.
    first: f64,
    /// Seconds until the last was answered.
    seconds: f64,
    applies: usize,
    other_writes: usize,
    writes_at_rest: usize,
    cpu: f64,
    peak_mb: f64,
}

/// Measures both subjects.
pub async fn measure(options: &Options, report: &mut Report) -> Result<(), String> {
    let operator = options.operator()?;
    let size = options.nodes;
    if size == 0 {
        return Ok(());
    }
    let (mut ours, mut minimals) = (Vec::new(), Vec::new());
    for _ in 0..options.repeats {
        for which in [Which::Operator, Which::Minimal] {
            let bed = Bed::start(Plane::Bare, size, &operator).await?;
            let nodes = create_nodes(&bed, size).await?;
            warm_up(&bed).await?;
            let mut subject = match which {
                Which::Operator => Subject::operator(&bed, &operator, &[]).await?,
                Which::Minimal => Subject::minimal(&bed, &floor())?,
            };
            tokio::time::sleep(STARTED).await;
            let labelled = run(&bed, &mut subject, which, &nodes, options.rest()).await?;
            eprintln!("bench: {size} nodes, {which}: {labelled:?}");
            match which {
                Which::Operator => ours.push(labelled),
                Which::Minimal => minimals.push(labelled),
            }
        }
    }
    show(size, &ours, &minimals, report);
    Ok(())
}

fn show(size: usize, ours: &[Labelled], minimals: &[Labelled], report: &mut Report) {
    let median = |runs: &[Labelled], of: fn(&Labelled) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        percentile(&values, 50)
    };
    report.heading("Bare plane: until every node carries the labels of ten labelers");
    report.line("    N  subject            first   labelled   applies  other writes    CPU s  peak MB");
    for (which, runs) in [(Which::Operator, ours), (Which::Minimal, minimals)] {
        report.line(&format!(
            "{size:>5}  {which:<14} {:>7.2} s  {:>7.2} s  {:>8.0}  {:>12.0}  {:>7.2}  {:>7.1}",
            median(runs, |run| run.first),
            median(runs, |run| run.seconds),
            median(runs, |run| count(run.applies)),
            median(runs, |run| count(run.other_writes)),
            median(runs, |run| run.cpu),
            median(runs, |run| run.peak_mb),
        ));
    }
    let mut bar = |what: &str, value: f64, limit: f64, unit: &'static str| {
        report.bar(Bar::at_most(
            format!("{size} nodes x {LABELERS} labelers: {what}"),
            value,
            limit,
            unit,
        ));
    };
    let ratio = median(ours, |run| run.seconds) / median(minimals, |run| run.seconds);
    bar("time / minimal client's", ratio, 1.5, "x");
    let most = |of: fn(&Labelled) -> usize| count(ours.iter().map(of).max().unwrap_or_default());
    bar(
        "applies over one per node",
        most(|run| run.applies) - count(size),
        0.0,
        "",
    );
    bar("writes at rest", most(|run| run.writes_at_rest), 0.0, "");
}

async fn run(
    bed: &Bed,
    subject: &mut Subject,
    which: Which,
    nodes: &[Created],
    rest: Duration,
) -> Result<Labelled, String> {
    let log = bed.cluster.audit_log();
    let mut mark = log.mark();
    let before = subject.cost()?;
    let mut begun = Timestamp::now();
    if which == Which::Operator {
        begun = create_labelers(bed).await?;
    }
    let teller = subject.teller();
    for node in nodes {
        teller.tell(node);
    }
    let mut requests = Vec::new();
    let mut last_write = Instant::now();
    let started = Instant::now();
    while last_write.elapsed() < QUIET || !all_labelled(&requests, nodes.len()) {
        subject.check()?;
        if started.elapsed() > LIMIT {
            return Err(format!("not every node is labelled after {LIMIT:?}"));
        }
        let new = writes(bed, &mut mark)?;
        if !new.is_empty() {
            last_write = Instant::now();
        }
        requests.extend(new);
        tokio::time::sleep(LOOK).await;
    }
    let after = subject.cost()?;
    let applies = requests.iter().filter(|request| request.resource == "nodes");
    let first = applies.clone().map(|request| request.received).min();
    let last = applies.clone().map(|request| request.answered).max();
    let applies = applies.count();
    let mut at_rest = Vec::new();
    if which == Which::Operator {
        tokio::time::sleep(rest).await;
        at_rest = writes(bed, &mut mark)?;
    }
    Ok(Labelled {
        first: milliseconds(begun, first.unwrap_or(begun)) / 1e3,
        seconds: milliseconds(begun, last.unwrap_or(begun)) / 1e3,
        applies,
        other_writes: requests.len() - applies,
        writes_at_rest: at_rest.len(),
        cpu: after.cpu - before.cpu,
        peak_mb: after.peak_mb,
    })
}

fn writes(bed: &Bed, mark: &mut Mark) -> Result<Vec<Request>, String> {
    let filter = Filter::user("llm-system:llm-operator");
    let new = bed.cluster.audit_log().requests_from(mark, &filter);
    let mut new = new.map_err(|error| format!("the audit log cannot be read: {error}"))?;
    new.retain(Request::is_write);
    Ok(new)
}

fn all_labelled(requests: &[Request], size: usize) -> bool {
    let done = |request: &&Request| request.resource == "nodes" && request.status < 300;
    let names: BTreeSet<&str> = requests
        .iter()
        .filter(done)
        .map(|request| request.name.as_str())
        .collect();
    names.len() == size
}

fn labels() -> Value {
    let mut labels = json!({"bench.example.com/all": "yes"});
    for number in 0..LABELERS {
        labels[format!("bench.example.com/l{number}")] = json!("yes");
    }
    labels
}

/// One apply per node, as the operator's.
fn floor() -> Templates {
    let body = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NAME, "uid": UID, "labels": labels()},
    });
    let write = Write {
        method: "PATCH".to_owned(),
        path: format!("/api/v1/nodes/{NAME}?fieldManager=llm-operator-node-labels"),
        content_type: "application/apply-patch+yaml".to_owned(),
        body: body.to_string(),
    };
    Templates::from([("node".to_owned(), vec![write])])
}

async fn create_nodes(bed: &Bed, size: usize) -> Result<Vec<Created>, String> {
    let api: Api<Node> = Api::all(bed.client.clone());
    let api = &api;
    stream::iter(0..size)
        .map(|number| async move {
            let mut labels = json!({"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"});
            for own in 0..OWN_LABELS {
                labels[format!("feature.example.com/{own}")] = json!(format!("value-{own}"));
            }
            let node = json!({"metadata": {"name": format!("node-{number:05}"), "labels": labels}});
            let node: Node = serde_json::from_value(node).map_err(|error| error.to_string())?;
            let made = api.create(&PostParams::default(), &node).await;
            let made = made.map_err(|error| format!("a node cannot be created: {error}"))?;
            Ok(Created {
                kind: "node",
                name: made.name_any(),
                uid: made.uid().unwrap_or_default(),
            })
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// All at once; when the first was sent.
async fn create_labelers(bed: &Bed) -> Result<Timestamp, String> {
    let begun = Timestamp::now();
    let posts = (0..LABELERS).map(|number| create_labeler(bed, number));
    futures::future::try_join_all(posts).await?;
    Ok(begun)
}

async fn create_labeler(bed: &Bed, number: usize) -> Result<(), String> {
    let labels = json!({"bench.example.com/all": "yes", format!("bench.example.com/l{number}"): "yes"});
    let labeler = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AutoNodeLabeler",
        "metadata": {"name": format!("l{number}")},
        "spec": {"matchExpression": {"key": "nvidia.com/gpu.product", "operator": "Exists"}, "labels": labels},
    });
    let request = http::Request::post(labelers())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(labeler.to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let answer = bed.client.request_text(request).await;
    answer
        .map(drop)
        .map_err(|error| format!("a labeler cannot be created: {error}"))
}

/// The first object of a kind makes the API server compile its rules, which takes most of a second: that is neither
/// subject's.
async fn warm_up(bed: &Bed) -> Result<(), String> {
    create_labeler(bed, 0).await?;
    let request = http::Request::delete(format!("{}/l0", labelers())).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = bed.client.request_text(request).await;
    answer
        .map(drop)
        .map_err(|error| format!("a labeler cannot be deleted: {error}"))
}

fn labelers() -> String {
    format!("/apis/premlabs.io/v1alpha1/namespaces/{NAMESPACE}/autonodelabelers")
}
