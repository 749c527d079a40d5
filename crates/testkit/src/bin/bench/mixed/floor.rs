//! What must be written for one resource of each kind, learned from what the operator writes.
//!
//! In: an operator on a plane of its own whose audit log keeps bodies, and resource 0 of each kind. Out: writes with
//! placeholders for the minimal client: every child, and of each status the last one only.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::Cluster;

use super::{converge, kinds::KINDS};
use crate::{
    bed::Bed,
    subject::Subject,
    templates::{NAME, Templates, UID, Write},
    workload::Created,
};

/// Nothing is written for so long when the operator has done its work: longer than it waits for anything.
const QUIET: Duration = Duration::from_secs(8);
/// Longest that this may take.
const LIMIT: Duration = Duration::from_mins(2);

/// Runs the operator once and looks what it writes.
pub async fn learn(operator: &Path) -> Result<Templates, String> {
    let directory = testkit::process::TemporaryDirectory::new("bench").map_err(|error| error.to_string())?;
    let policy = directory.path().join("policy.yaml");
    std::fs::write(&policy, audit_policy()).map_err(|error| error.to_string())?;
    let builder = Cluster::builder()
        .bare()
        .audit()
        .api_server_flag(format!("--audit-policy-file={}", policy.display()));
    let bed = Bed::on(builder, operator).await?;
    converge::prepare(&bed, operator).await?;
    let subject = Subject::operator(&bed, operator, &[]).await?;
    let mut created = Vec::new();
    for kind in &KINDS {
        created.push(converge::create(&bed, kind, 0).await?);
    }
    let log = bed.cluster.directory().join("audit.log");
    let begun = Instant::now();
    let (mut size, mut grown) = (0, Instant::now());
    while grown.elapsed() < QUIET && begun.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let writes = writes(&log)?.len();
        if writes != size {
            (size, grown) = (writes, Instant::now());
        }
    }
    drop(subject);
    templates(&created, &writes(&log)?)
}

/// Bodies of the operator's writes, and nothing else.
fn audit_policy() -> String {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
            {
                "level": "Request",
                "users": ["system:serviceaccount:llm-system:llm-operator"],
                "verbs": ["create", "update", "patch", "delete"],
            },
            {"level": "None"},
        ],
    })
    .to_string()
}

/// The writes that were taken, in their order.
fn writes(log: &Path) -> Result<Vec<Value>, String> {
    let file = File::open(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    Ok(events
        .filter(|event| {
            event["responseStatus"]["code"]
                .as_u64()
                .is_some_and(|code| code < 300)
        })
        .collect())
}

fn templates(created: &[Created], writes: &[Value]) -> Result<Templates, String> {
    let mut templates = Templates::new();
    for event in writes {
        let Some(owner) = owner(created, event) else {
            continue;
        };
        let write = write(owner, event)?;
        let list = templates.entry(owner.kind.to_owned()).or_default();
        // A status may be written while children come; the floor is the last. A child need be written once.
        if write.path.contains("/status?") {
            list.retain(|earlier| earlier.path != write.path);
        } else if list
            .iter()
            .any(|earlier| earlier.path == write.path && write.method == "PATCH")
        {
            continue;
        }
        list.push(write);
    }
    match KINDS.iter().find(|kind| !templates.contains_key(kind.word)) {
        Some(kind) => Err(format!("the operator wrote nothing for a {}", kind.title)),
        None => Ok(templates),
    }
}

/// Whose write it is: of the resource that it goes to or is about, else of the one that owns what is written.
fn owner<'a>(created: &'a [Created], event: &Value) -> Option<&'a Created> {
    let body = &event["requestObject"];
    let is = |created: &&Created, uid: &Value| uid.as_str() == Some(created.uid.as_str());
    let reference = &event["objectRef"];
    let of_kind = |created: &&Created| {
        let kind = KINDS.iter().find(|kind| kind.word == created.kind);
        kind.is_some_and(|kind| {
            let version = format!(
                "{}/{}",
                reference["apiGroup"].as_str().unwrap_or_default(),
                reference["apiVersion"].as_str().unwrap_or_default()
            );
            kind.plural == reference["resource"] && kind.api_version == version
        })
    };
    created
        .iter()
        .find(|created| of_kind(created) && reference["name"] == created.name)
        .or_else(|| {
            created
                .iter()
                .find(|created| is(created, &body["involvedObject"]["uid"]))
        })
        .or_else(|| {
            let owners = body["metadata"]["ownerReferences"].as_array()?;
            created
                .iter()
                .find(|created| owners.iter().any(|owner| is(created, &owner["uid"])))
        })
}

fn write(owner: &Created, event: &Value) -> Result<Write, String> {
    let mut body = event["requestObject"].clone();
    let uri = event["requestURI"].as_str().unwrap_or_default();
    let (method, content_type) = match event["verb"].as_str() {
        Some("create") => ("POST", "application/json"),
        Some("patch") if body["kind"].is_string() => ("PATCH", "application/apply-patch+yaml"),
        Some("patch") => ("PATCH", "application/merge-patch+json"),
        verb => return Err(format!("a {verb:?} of {uri} is not known here")),
    };
    // Of a child it says "create only"; of the resource itself it is another on the next plane.
    if body["metadata"]["uid"].is_string()
        && let Some(metadata) = body["metadata"].as_object_mut()
    {
        metadata.remove("resourceVersion");
    }
    Ok(Write {
        method: method.to_owned(),
        path: uri.replace(&owner.name, NAME),
        content_type: content_type.to_owned(),
        body: body
            .to_string()
            .replace(&owner.name, NAME)
            .replace(&owner.uid, UID),
    })
}
