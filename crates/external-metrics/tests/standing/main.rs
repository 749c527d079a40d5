//! Whose the API is, and what is done about it. A cluster has one such API: these tests run one after the other.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod others;
mod rotation;

use std::sync::LazyLock;

use common::{api_service, cluster, eventually};
use external_metrics::API_SERVICE;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{Api, Client, Resource, ResourceExt, api::DeleteParams};
use serde::de::DeserializeOwned;
use testkit::Cluster;
use tokio::sync::{Mutex, MutexGuard};

static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// The cluster with nothing of what an earlier test left; no other test runs meanwhile.
async fn turn() -> (&'static Cluster, Client, MutexGuard<'static, ()>) {
    let guard = TURN.lock().await;
    let cluster = cluster().await;
    let client = cluster.admin_client().await.unwrap();
    remove(&common::api_services(cluster).await, API_SERVICE).await;
    remove(&secrets(&client), common::SECRET).await;
    remove(&services(&client), common::SERVICE).await;
    (cluster, client, guard)
}

async fn remove<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        deleted => drop(deleted.unwrap()),
    }
}

fn secrets(client: &Client) -> Api<Secret> {
    Api::namespaced(client.clone(), common::SYSTEM)
}

fn services(client: &Client) -> Api<Service> {
    Api::namespaced(client.clone(), common::SYSTEM)
}

/// Versions of everything that this crate writes.
async fn versions(cluster: &Cluster, client: &Client) -> [Option<String>; 2] {
    [
        // The API server itself writes its status.
        api_service(cluster)
            .await
            .metadata
            .generation
            .map(|generation| generation.to_string()),
        secrets(client)
            .get(common::SECRET)
            .await
            .unwrap()
            .resource_version(),
    ]
}

/// Waits until the metric is answered through the API server.
async fn answered(cluster: &Cluster) {
    eventually("the metric to be answered", async || ask(cluster).await).await;
}

/// Asks for the metric through the API server.
async fn ask(cluster: &Cluster) -> Result<String, String> {
    let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/llm_operator_desired_replicas";
    common::kubectl(cluster, &["get", "--raw", path]).await
}
