//! The floor's writes, made from what the operator itself writes: the same bodies, verbs and paths.
//!
//! In: objects that `llm-operator render` prints, and the status and Events that the operator has written for a resource.
//! Out: writes with placeholders, as a file for the minimal client.

use std::{collections::BTreeMap, path::Path};

use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::workload::{self, API_VERSION, NAMESPACE};

/// Stands for the resource's name; as long as the names are.
pub const NAME: &str = "chat-xxxxx";
/// Stands for the resource's uid; as long as uids are.
pub const UID: &str = "00000000-1111-2222-3333-444444444444";
/// What a write needs at a path of its own.
const APPLY: &str = "application/apply-patch+yaml";

/// One write, with [`NAME`] and [`UID`] in path and body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Write {
    /// `PATCH` or `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Content type.
    pub content_type: String,
    /// JSON text.
    pub body: String,
}

/// Writes by operation: `model` and `deployment` when they come, `ready` when the deployment's Pods serve.
pub type Templates = BTreeMap<String, Vec<Write>>;

/// Learns the floor of one resource from the operator's executable and from what it wrote for resource 0. `ready`: the
/// resources serve, and were told so by a second status and the Events.
pub async fn learn(client: &Client, operator: &Path, ready: bool) -> Result<Templates, String> {
    let mut deployment = children(operator).await?;
    let status = status(client, "LLMDeployment", "llmdeployments").await?;
    deployment.push(status.clone());
    let mut templates = Templates::from([
        ("deployment".to_owned(), deployment),
        (
            "model".to_owned(),
            vec![self::status(client, "LLMModel", "llmmodels").await?],
        ),
    ]);
    let events = events(client).await?;
    if ready {
        templates.insert("ready".to_owned(), [vec![status], events].concat());
    }
    Ok(templates)
}

/// The children, as the operator would apply them.
async fn children(operator: &Path) -> Result<Vec<Write>, String> {
    let mut deployment = workload::deployment(NAME);
    deployment["metadata"]["uid"] = json!(UID);
    let directory = testkit::process::TemporaryDirectory::new("bench").map_err(|error| error.to_string())?;
    let file = directory.path().join("resources.yaml");
    let text = format!("{}\n---\n{deployment}\n", workload::model(NAME));
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let output = tokio::process::Command::new(operator)
        .args(["render", "-f"])
        .arg(&file)
        .output()
        .await
        .map_err(|error| format!("{}: {error}", operator.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| format!("render printed no YAML: {error}"))?;
    let objects = objects.into_iter().filter(|object| !object.is_null());
    let writes: Vec<Write> = objects.map(child).collect::<Result<_, _>>()?;
    if writes.len() == 3 {
        return Ok(writes);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "render printed {} objects and not 3: {errors}",
        writes.len()
    ))
}

fn child(mut object: Value) -> Result<Write, String> {
    let root = match object["kind"].as_str() {
        Some("Deployment") => "/apis/apps/v1/namespaces/bench/deployments",
        Some("Service") => "/api/v1/namespaces/bench/services",
        Some("NetworkPolicy") => "/apis/networking.k8s.io/v1/namespaces/bench/networkpolicies",
        kind => return Err(format!("render printed a {kind:?}, whose path is not known here")),
    };
    // As the operator does: the write can only create.
    object["metadata"]["resourceVersion"] = json!("1");
    Ok(apply(&format!("{root}/{NAME}"), &object))
}

async fn status(client: &Client, kind: &str, plural: &str) -> Result<Write, String> {
    let path = format!("/apis/{API_VERSION}/namespaces/{NAMESPACE}/{plural}");
    let object = get(client, &format!("{path}/{}", workload::name(0))).await?;
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": NAME, "uid": UID},
        "status": object["status"],
    });
    Ok(apply(&format!("{path}/{NAME}/status"), &body))
}

/// The Events that the operator has written about resource 0.
async fn events(client: &Client) -> Result<Vec<Write>, String> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/events");
    let query = format!("{path}?fieldSelector=involvedObject.name%3D{}", workload::name(0));
    let mut found = get(client, &query).await?;
    let all = found["items"].take();
    let ours = all.as_array().into_iter().flatten().filter(|event| {
        event["involvedObject"]["apiVersion"] == API_VERSION && event["reportingComponent"] == "llm-operator"
    });
    Ok(ours
        .map(|event| {
            let mut event = event.clone();
            event["apiVersion"] = json!("v1");
            event["kind"] = json!("Event");
            event["metadata"] = json!({"name": format!("{NAME}.0123456789abcdef"), "namespace": NAMESPACE});
            event["involvedObject"]["uid"] = json!(UID);
            let body = generic(&event);
            Write {
                method: "POST".to_owned(),
                path: path.clone(),
                content_type: "application/json".to_owned(),
                body,
            }
        })
        .collect())
}

async fn get(client: &Client, path: &str) -> Result<Value, String> {
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = client.request(request).await;
    answer.map_err(|error| format!("GET {path}: {error}"))
}

fn apply(path: &str, body: &Value) -> Write {
    Write {
        method: "PATCH".to_owned(),
        path: format!("{path}?force=true&fieldManager=llm-operator"),
        content_type: APPLY.to_owned(),
        body: generic(body),
    }
}

/// Resource 0's own name becomes the placeholder.
fn generic(body: &Value) -> String {
    body.to_string().replace(&workload::name(0), NAME)
}
