//! The desk of this family, shared by the tests of the program.

use kube::{
    Api, Client,
    api::{DynamicObject, PatchParams},
    core::Status,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::common::desk::{Desk, Family};
pub use crate::common::desk::{Wrong, file, wrong};

/// The kinds of this family, with their plurals.
pub const KINDS: [(&str, &str); 3] = [
    ("AIDeployment", "aideployments"),
    ("AIModelMap", "aimodelmaps"),
    ("AutoNodeLabeler", "autonodelabelers"),
];

const FAMILY: Family = Family {
    group: "premlabs.io",
    version: "v1alpha1",
    kinds: &KINDS,
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

/// Resources of a kind of this family, untyped, in the namespace `default`.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    FAMILY.api(client, kind)
}

/// A dry-run create that takes no unknown field.
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
    manager: &str,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    FAMILY
        .apply(client, PatchParams::apply(manager), kind, name, spec)
        .await
}

/// Hands in every row as a new resource of `kind`; all must be refused, by field and in plain words.
pub async fn all_refused(kind: &str, table: Vec<Wrong>) {
    FAMILY.all_refused(&client().await, kind, table).await;
}

/// Hands in every spec; all must be accepted.
pub async fn all_accepted(kind: &str, table: Vec<(&str, Value)>) {
    FAMILY.all_accepted(&client().await, kind, table).await;
}
