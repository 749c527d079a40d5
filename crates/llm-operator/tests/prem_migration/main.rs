//! A cluster that moves here from prem-operator: its objects exist, its Pods run, and this operator starts in its place.
//!
//! `manifests/` and the repository's examples are what people wrote; `objects/` is what prem-operator makes of them, as its
//! release of May 2024 hands them to the API server, without namespace and owner.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod back;
mod every_manifest;
mod fixed;
mod later;
mod old;
mod refused;
mod scaled;
mod seen;

use common::{Operator, PATIENCE, install, operator_access, spawn_operator};
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed, plane::proxy::FaultProxy};
use tokio::sync::OnceCell;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster of this program, with definitions and roles, and without an operator. Weights load at once, and probes run
/// ten times as fast as written.
async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let options = NodeOptions {
                speed: Speed::INSTANT,
                probe_scale: 0.1,
                backoff_scale: 0.1,
                ..NodeOptions::default()
            };
            let nodes = ["gpu-0", "gpu-1", "gpu-2", "gpu-3"].map(|name| NodeSpec::h100(name, 8));
            let builder = Cluster::builder().node_options(options);
            let builder = nodes.into_iter().fold(builder, testkit::ClusterBuilder::node);
            let cluster = builder.start().await.unwrap();
            install(&cluster, true).await;
            cluster
        })
        .await
}

/// This operator, for some namespaces, and what it asks the API server for.
struct New {
    /// The process.
    operator: Operator,
    /// Between it and the API server.
    proxy: FaultProxy,
}

impl New {
    /// Starts it and waits until it is ready; `name` tells it from others.
    async fn start(name: &str, namespaces: &[&str]) -> Self {
        let cluster = cluster().await;
        let proxy = cluster.fault_proxy().await.unwrap();
        let access = operator_access(cluster).await.through(&proxy.url());
        let watched = namespaces.join(",");
        let args = ["--leader-elect", "false", "--watch-namespace", &watched];
        let mut operator = spawn_operator(&access, name, &args);
        let url = format!("{}/readyz", operator.url);
        operator.process.wait_ready(&url, PATIENCE).await.unwrap();
        Self { operator, proxy }
    }

    /// Ends it in an orderly way.
    async fn stop(mut self) {
        assert_eq!(self.operator.process.terminate(PATIENCE).await.unwrap(), 0);
    }

    /// Requests so far that change something, or try to.
    fn writes(&self) -> u64 {
        common::stand::writes(&self.proxy)
    }
}
