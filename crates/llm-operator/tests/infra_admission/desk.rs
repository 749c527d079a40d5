//! The desk of this kind, shared by the tests of the program.

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, PatchParams},
    core::Status,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::common::desk::{Desk, Family};
pub use crate::common::desk::{Wrong, check, file, with, wrong};

const KIND: &str = "NvidiaGpuLlm";

const FAMILY: Family = Family {
    group: "infra.example.com",
    version: "v1",
    kinds: &[(KIND, "nvidiagpullms")],
};

static DESK: OnceCell<Desk> = OnceCell::const_new();

/// The shared cluster.
pub async fn desk() -> &'static Desk {
    DESK.get_or_init(|| FAMILY.desk()).await
}

/// An administrator's client for the runtime of this test.
pub async fn client() -> Client {
    desk().await.client().await
}

/// What kubectl says, and whether it worked.
pub async fn try_kubectl(args: &[&str]) -> (bool, String) {
    desk().await.try_kubectl(args).await
}

/// What kubectl says; it has to work.
pub async fn kubectl(args: &[&str]) -> String {
    desk().await.kubectl(args).await
}

/// The resources, untyped, in the namespace `default`.
pub fn api(client: &Client) -> Api<DynamicObject> {
    FAMILY.api(client, KIND)
}

/// The smallest spec, with `more` on top.
pub fn install(more: &Value) -> Value {
    with(json!({"action": "install", "llmName": "gpu-llm-pod"}), more)
}

/// A dry-run create that takes no unknown field.
pub async fn create(client: &Client, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
    FAMILY.create(client, KIND, name, spec).await
}

/// Server-side apply, as `kubectl apply --server-side` does it.
pub async fn apply(client: &Client, name: &str, spec: &Value) -> Result<DynamicObject, Box<Status>> {
    let params = PatchParams::apply("a-person");
    FAMILY.apply(client, params, KIND, name, spec).await
}

/// Deletes a resource that a test has applied.
pub async fn delete(client: &Client, name: &str) {
    api(client).delete(name, &DeleteParams::default()).await.unwrap();
}

/// Hands in every row as a new resource; all must be refused, by field and in plain words.
pub async fn all_refused(table: Vec<Wrong>) {
    FAMILY.all_refused(&client().await, KIND, table).await;
}

/// Hands in every row on top of the smallest spec; all must be refused, by field and in plain words.
pub async fn all_refused_on_top(table: Vec<Wrong>) {
    let whole = |row: Wrong| Wrong {
        spec: install(&row.spec),
        ..row
    };
    all_refused(table.into_iter().map(whole).collect()).await;
}
