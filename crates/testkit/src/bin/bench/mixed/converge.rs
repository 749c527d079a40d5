//! Resources of all kinds are created at once, and a subject brings them to where they shall be.
//!
//! In: a plane, a subject that waits, the writes that must be. Out: how long it took until all of them were done, and what
//! it cost.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::{
    manifests::{self, Definitions},
    plane::audit::Filter,
};

use super::kinds::{KINDS, Kind};
use crate::{
    bed::Bed,
    journal::milliseconds,
    subject::Subject,
    templates::{NAME, Templates},
    workload::{Created, NAMESPACE},
};

/// Creations at once.
const AT_ONCE: usize = 16;
/// So often the audit log is read.
const LOOK: Duration = Duration::from_millis(100);
/// Nothing may be written for so long when it is done.
const QUIET: Duration = Duration::from_secs(3);
/// Longest that a definition may take to be published.
const PUBLISHED: Duration = Duration::from_secs(30);
/// Longest that a subject may take.
const LIMIT: Duration = Duration::from_mins(15);

/// What one subject did.
#[derive(Debug, Clone, Copy)]
pub struct Converged {
    /// Seconds from the first creation until everything that must be written was.
    pub seconds: f64,
    /// Writes, those that need not have been among them.
    pub writes: usize,
    /// CPU seconds.
    pub cpu: f64,
    /// Highest resident memory, in MB.
    pub peak_mb: f64,
}

/// Adds what a bare plane lacks: the definitions that belong to others on many clusters, a node with GPUs, and the
/// service account without which no Pod is taken.
pub async fn prepare(bed: &Bed, operator: &Path) -> Result<(), String> {
    let definitions = manifests::definitions(operator, Definitions::Optional).await;
    let definitions = definitions.map_err(|error| error.to_string())?;
    let surroundings = [
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": NAMESPACE},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "h100", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
        }),
    ];
    let documents = [
        definitions,
        surroundings[0].to_string(),
        surroundings[1].to_string(),
    ];
    let applied = bed.cluster.apply_yaml(&documents.join("\n---\n")).await;
    applied.map_err(|error| error.to_string())?;
    let capacity = json!({"nvidia.com/gpu": "8", "cpu": "192", "memory": "2000Gi", "pods": "250"});
    let status = json!({"status": {"capacity": capacity, "allocatable": capacity}});
    let request = http::Request::patch("/api/v1/nodes/h100/status")
        .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
        .body(status.to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let patched = bed.client.request_text(request).await;
    patched.map_err(|error| error.to_string())?;
    published(bed).await
}

/// Waits until the API server has published every kind. An operator that looks before takes a definition for missing, and looks again
/// only after some time, which is not what is measured.
async fn published(bed: &Bed) -> Result<(), String> {
    for kind in &KINDS {
        let path = format!("/openapi/v3/apis/{}", kind.api_version);
        let looked = testkit::until(format!("{path} has {}", kind.plural), PUBLISHED, async || {
            let request = http::Request::get(&path)
                .body(Vec::new())
                .map_err(|error| error.to_string())?;
            let text = bed
                .client
                .request_text(request)
                .await
                .map_err(|error| error.to_string())?;
            let there = text.contains(&format!("/{}\"", kind.plural));
            there.then_some(()).ok_or_else(|| "not yet".to_owned())
        });
        looked.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Creates resource `number` of a kind.
pub async fn create(bed: &Bed, kind: &Kind, number: usize) -> Result<Created, String> {
    let request = http::Request::post(kind.path())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(kind.object(number).to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let made: Value = bed
        .client
        .request(request)
        .await
        .map_err(|error| format!("{} {} cannot be created: {error}", kind.title, kind.name(number)))?;
    Ok(Created {
        kind: kind.word,
        name: kind.name(number),
        uid: made["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
    })
}

/// Creates `size` resources, of each kind as many, and waits until what must be written was written.
pub async fn run(
    bed: &Bed,
    subject: &mut Subject,
    floor: &Templates,
    size: usize,
) -> Result<Converged, String> {
    let (log, begun) = (bed.cluster.audit_log(), Timestamp::now());
    let mut mark = log.mark();
    let before = subject.cost()?;
    let teller = subject.teller();
    let mut waited_for = waited_for(floor, size);
    stream::iter(resources(size))
        .map(|(kind, number)| async move { create(bed, kind, number).await })
        .buffered(AT_ONCE)
        .try_for_each(async |created| {
            teller.tell(&created);
            Ok(())
        })
        .await?;
    let (started, mut last_write) = (Instant::now(), Instant::now());
    let mut writes = 0;
    while last_write.elapsed() < QUIET || waited_for.values().any(Option::is_none) {
        subject.check()?;
        if started.elapsed() > LIMIT {
            let missing = waited_for.iter().find(|(_, answered)| answered.is_none());
            return Err(format!("not converged after {LIMIT:?}: {missing:?}"));
        }
        let new = log.requests_from(&mut mark, &Filter::user("llm-system:llm-operator"));
        let mut new = new.map_err(|error| format!("the audit log cannot be read: {error}"))?;
        new.retain(|request| request.is_write() && request.status < 300);
        for request in new {
            (writes, last_write) = (writes + 1, Instant::now());
            let path = request.uri.split('?').next().unwrap_or_default();
            if let Some(answered) = waited_for.get_mut(path) {
                *answered = Some(request.answered);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    let after = subject.cost()?;
    let last = waited_for.values().flatten().max().copied().unwrap_or(begun);
    Ok(Converged {
        seconds: milliseconds(begun, last) / 1e3,
        writes,
        cpu: after.cpu - before.cpu,
        peak_mb: after.peak_mb,
    })
}

/// Kind and number of each of `size` resources, every kind in turn.
fn resources(size: usize) -> impl Iterator<Item = (&'static Kind, usize)> {
    (0..size).filter_map(|index| Some((KINDS.get(index % KINDS.len())?, index / KINDS.len())))
}

/// The objects and statuses that must be written, by path. Events are left out: they are collections.
fn waited_for(floor: &Templates, size: usize) -> HashMap<String, Option<Timestamp>> {
    let mut paths = HashMap::new();
    for (kind, number) in resources(size) {
        for write in floor.get(kind.word).into_iter().flatten() {
            if write.method == "PATCH" {
                let path = write.path.split('?').next().unwrap_or_default();
                paths.insert(path.replace(NAME, &kind.name(number)), None);
            }
        }
    }
    paths
}
