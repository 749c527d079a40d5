//! The desk of these kinds, shared by the tests of the program; the optional definition is installed as well.

use kube::{
    Api, Client,
    api::{DynamicObject, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::common::{
    PATIENCE,
    desk::{Desk, Family, Wrong, with},
    root,
};

/// The kinds of the group that is always installed.
pub const FAMILY: Family = Family {
    group: "ai.example.com",
    version: "v1",
    kinds: &[("LLMModel", "llmmodels"), ("ModelDeployment", "modeldeployments")],
};
/// The kind that is installed when asked for.
pub const DYNAMO: Family = Family {
    group: "nvidia.com",
    version: "v1",
    kinds: &[("DynamoGraphDeployment", "dynamographdeployments")],
};

static DESK: OnceCell<Desk> = OnceCell::const_new();

/// The shared cluster.
pub async fn desk() -> &'static Desk {
    DESK.get_or_init(|| async {
        let desk = FAMILY.desk().await;
        let folder = root().join("config/crd-optional");
        desk.kubectl(&["apply", "-f", folder.to_str().unwrap()]).await;
        testkit::until("the optional kind is served", PATIENCE, async || {
            let (served, said) = desk.try_kubectl(&["get", "dgd"]).await;
            served.then_some(()).ok_or(said)
        })
        .await
        .unwrap();
        desk
    })
    .await
}

fn family(kind: &str) -> &'static Family {
    if kind == "DynamoGraphDeployment" {
        &DYNAMO
    } else {
        &FAMILY
    }
}

/// The smallest spec of a kind.
pub fn smallest(kind: &str) -> Value {
    match kind {
        "LLMModel" => json!({}),
        "ModelDeployment" => json!({"model": "phi-4"}),
        _ => json!({"model": {"name": "phi-4"}}),
    }
}

/// All of these kinds.
pub const KINDS: [&str; 3] = ["LLMModel", "ModelDeployment", "DynamoGraphDeployment"];

/// Hands in every row on top of the smallest spec; all must be refused.
pub async fn all_refused(kind: &str, table: Vec<Wrong>) {
    let client = desk().await.client().await;
    let whole = |row: Wrong| Wrong {
        spec: with(smallest(kind), &row.spec),
        ..row
    };
    let table = table.into_iter().map(whole).collect();
    family(kind).all_refused(&client, kind, table).await;
}

/// Hands in every spec as it is; all must be refused.
pub async fn all_refused_as_they_are(kind: &str, table: Vec<Wrong>) {
    let client = desk().await.client().await;
    family(kind).all_refused(&client, kind, table).await;
}

/// Hands in every row on top of the smallest spec; all must be accepted.
pub async fn all_accepted(kind: &str, table: Vec<(&str, Value)>) {
    let client = desk().await.client().await;
    let table = table
        .into_iter()
        .map(|(what, spec)| (what, with(smallest(kind), &spec)))
        .collect();
    family(kind).all_accepted(&client, kind, table).await;
}

/// Resources of a kind, untyped, in the namespace `default`.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    family(kind).api(client, kind)
}

/// Server-side apply; the words of a refusal.
pub async fn apply(client: &Client, kind: &str, name: &str, spec: &Value) -> Result<DynamicObject, String> {
    let answer = family(kind)
        .apply(client, PatchParams::apply("person").force(), kind, name, spec)
        .await;
    answer.map_err(|status| status.message)
}

/// A dry-run create; the words of a refusal.
pub async fn create(client: &Client, kind: &str, name: &str, spec: &Value) -> Result<DynamicObject, String> {
    let answer = family(kind).create(client, kind, name, spec).await;
    answer.map_err(|status| status.message)
}
