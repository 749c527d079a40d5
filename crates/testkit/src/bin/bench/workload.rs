//! The resources that are measured with: N models, and N deployments of one replica that name one each.
//!
//! In: a client and N. Out: resources created at once, the model before its deployment; who is told of each.

use futures::{TryStreamExt, stream};
use kube::Client;
use serde_json::{Value, json};

/// Namespace of all of them.
pub const NAMESPACE: &str = "bench";
/// API version of the kinds.
pub const API_VERSION: &str = "llm.example.com/v1alpha1";
/// Creations at once; a `kubectl apply` would be slower.
const CREATIONS_AT_ONCE: usize = 16;

/// Name of resource `number`; its model and its deployment share it.
pub fn name(number: usize) -> String {
    format!("chat-{number:05}")
}

/// The model `name`: the generic engine, so small that a node holds hundreds.
pub fn model(name: &str) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "LLMModel",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "modelName": "GPT-Small",
            "image": "your-registry/gpt-small:v1",
            "resources": {"cpu": "100m", "memory": "1Gi"},
        },
    })
}

/// The deployment `name` of the model `name`.
pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "LLMDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"modelRef": name, "replicas": 1, "port": 8080},
    })
}

/// A resource that exists.
#[derive(Debug, Clone)]
pub struct Created {
    /// `deployment` or `model`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Creates `count` models and deployments and hands each to `tell` as soon as it exists.
pub async fn create(client: &Client, count: usize, tell: impl Fn(Created) + Sync) -> Result<(), String> {
    let tell = &tell;
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(CREATIONS_AT_ONCE, |number| async move {
            let name = name(number);
            tell(post(client, "model", "llmmodels", &name, &model(&name)).await?);
            tell(post(client, "deployment", "llmdeployments", &name, &deployment(&name)).await?);
            Ok(())
        })
        .await
}

async fn post(
    client: &Client,
    kind: &'static str,
    plural: &str,
    name: &str,
    body: &Value,
) -> Result<Created, String> {
    let request = http::Request::post(path(plural, ""))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let made: Value = client
        .request(request)
        .await
        .map_err(|error| format!("cannot create {kind} {name}: {error}"))?;
    Ok(Created {
        kind,
        name: name.to_owned(),
        uid: made["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
    })
}

/// How many deployments and models have the status that they must have; `ready` asks for the state `Ready` too.
pub async fn right(client: &Client, ready: bool) -> Result<(usize, usize), String> {
    let deployments = list(client, "llmdeployments").await?;
    let models = list(client, "llmmodels").await?;
    let deployments = deployments
        .iter()
        .filter(|object| {
            accepted(object)
                && has_condition(object, "Applied", "True")
                && has_condition(object, "Ready", if ready { "True" } else { "False" })
        })
        .count();
    Ok((
        deployments,
        models.iter().filter(|object| accepted(object)).count(),
    ))
}

fn accepted(object: &Value) -> bool {
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    current && has_condition(object, "Accepted", "True")
}

/// Whether the object's status has this condition with this status.
pub fn has_condition(object: &Value, type_: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition["type"] == type_ && condition["status"] == status)
    })
}

/// Every resource of a kind of ours, in pages.
pub async fn list(client: &Client, plural: &str) -> Result<Vec<Value>, String> {
    let pages = stream::try_unfold(Some(String::new()), |token| async move {
        let Some(token) = token else {
            return Ok::<_, String>(None);
        };
        let query = format!("?limit=500&continue={token}");
        let request = http::Request::get(path(plural, &query))
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let mut page: Value = client
            .request(request)
            .await
            .map_err(|error| format!("cannot list {plural}: {error}"))?;
        let items = page["items"].take();
        let next = page["metadata"]["continue"].as_str().unwrap_or_default();
        let next = (!next.is_empty()).then(|| next.to_owned());
        Ok(Some((items, next)))
    });
    let pages: Vec<Value> = pages.try_collect().await?;
    Ok(pages
        .into_iter()
        .flat_map(|page| page.as_array().cloned().unwrap_or_default())
        .collect())
}

fn path(plural: &str, rest: &str) -> String {
    format!("/apis/{API_VERSION}/namespaces/{NAMESPACE}/{plural}{rest}")
}
