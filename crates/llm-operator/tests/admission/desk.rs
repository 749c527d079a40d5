//! The desk of this family, shared by the tests of the program.

use kube::{
    Api, Client,
    api::{DynamicObject, PatchParams},
    core::Status,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::common::desk::{Desk, Family, with};
pub use crate::common::desk::{Wrong, check, wrong};

const FAMILY: Family = Family {
    group: "llm.example.com",
    version: "v1alpha1",
    kinds: &[("LLMModel", "llmmodels"), ("LLMDeployment", "llmdeployments")],
};

static DESK: OnceCell<Desk> = OnceCell::const_new();

/// The shared cluster.
pub async fn desk() -> &'static Desk {
    DESK.get_or_init(|| FAMILY.desk()).await
}

/// Resources of a kind of this family, untyped, in the namespace `default`.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    FAMILY.api(client, kind)
}

/// The smallest model, with `more` on top.
pub fn model(more: &Value) -> Value {
    with(
        json!({"modelName": "Small", "image": "your-registry/gpt-small:v1"}),
        more,
    )
}

/// The smallest deployment, with `more` on top.
pub fn deployment(more: &Value) -> Value {
    with(json!({"modelRef": "small", "replicas": 1}), more)
}

/// Hands in every row on top of the smallest spec as a new resource of `kind`; all must be refused.
pub async fn all_refused(kind: &str, base: impl Fn(&Value) -> Value, table: Vec<Wrong>) {
    let client = desk().await.client().await;
    let whole = |row: Wrong| Wrong {
        spec: base(&row.spec),
        ..row
    };
    let table = table.into_iter().map(whole).collect();
    FAMILY.all_refused(&client, kind, table).await;
}

/// A dry-run create.
pub async fn create(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    FAMILY.create(client, kind, name, spec).await
}

/// Server-side apply, as `kubectl apply --server-side` does it.
pub async fn apply(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let params = PatchParams::apply("a-person").force();
    FAMILY.apply(client, params, kind, name, spec).await
}
