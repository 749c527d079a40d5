//! A namespace with an operator of its own, which reaches the API server through a proxy that can be told to fail.
//!
//! Such operators watch only their own namespace and lead without asking for their lease, so that tests of one cluster do
//! not meet.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::fmt::Write as _;

use testkit::{Cluster, ClusterBuilder, NodeSpec, plane::proxy::FaultProxy};
use tokio::sync::OnceCell;

use super::{Operator, Space, install, operator_access, spawn_operator};

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster that the tests of one program share, with definitions and roles, and without an operator.
pub async fn cluster() -> &'static Cluster {
    cluster_with(|| {
        Cluster::builder()
            .audit()
            .node(NodeSpec::cpu("cpu-0").room_for(250))
            .node(NodeSpec::h100("gpu-0", 8))
    })
    .await
}

/// The cluster; the first caller of a program decides how it is built.
pub async fn cluster_with(build: impl FnOnce() -> ClusterBuilder) -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let cluster = build().start().await.unwrap();
            install(&cluster, true).await;
            cluster
        })
        .await
}

/// A namespace, a way to the API server that fails on request, and the operator that uses it.
pub struct Stand {
    /// The namespace.
    pub space: Space,
    /// Between the operator and the API server.
    pub proxy: FaultProxy,
    /// The operator, ready.
    pub operator: Operator,
}

impl Stand {
    /// A fresh one on the shared cluster.
    pub async fn new(prefix: &str) -> Self {
        Self::with(prefix, &[]).await
    }

    /// A fresh one whose operator has these flags too.
    pub async fn with(prefix: &str, args: &[&str]) -> Self {
        let cluster = cluster().await;
        let space = Space::of(cluster, prefix).await;
        let proxy = cluster.fault_proxy().await.unwrap();
        let operator = start(cluster, &proxy, &space.namespace, &space.namespace, args).await;
        Self {
            space,
            proxy,
            operator,
        }
    }

    /// Another operator in the same place, for after a kill.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// As [`Stand::restart`] with these flags too.
    pub async fn restart_with(&mut self, args: &[&str]) {
        let name = format!("{}-again", self.space.namespace);
        self.operator = start(cluster().await, &self.proxy, &self.space.namespace, &name, args).await;
    }

    /// Requests so far that change something, or try to.
    pub fn writes(&self) -> u64 {
        writes(&self.proxy)
    }

    /// A model `small` that loads at once.
    pub async fn small_model(&self) {
        self.space.apply(SMALL_MODEL).await;
    }
}

/// Requests through a proxy so far that change something, or try to.
pub fn writes(proxy: &FaultProxy) -> u64 {
    let counts = proxy.counts();
    ["create", "update", "patch", "delete"]
        .iter()
        .filter_map(|verb| counts.get(*verb))
        .sum()
}

async fn start(
    cluster: &Cluster,
    proxy: &FaultProxy,
    namespace: &str,
    name: &str,
    args: &[&str],
) -> Operator {
    let access = operator_access(cluster).await.through(&proxy.url());
    let own = [
        "--leader-elect",
        "false",
        "--lease-name",
        namespace,
        "--watch-namespace",
        namespace,
    ];
    let all = [&own, args].concat();
    let mut operator = spawn_operator(&access, name, &all);
    let url = format!("{}/readyz", operator.url);
    operator.process.wait_ready(&url, super::PATIENCE).await.unwrap();
    operator
}

/// A model that any node runs and that loads at once.
pub const SMALL_MODEL: &str = r#"
apiVersion: llm.example.com/v1alpha1
kind: LLMModel
metadata:
  name: small
spec:
  modelName: "Small"
  image: "your-registry/gpt-small:v1"
  resources:
    cpu: "10m"
    memory: "1Gi"
"#;

/// YAML of deployments of the model `small`, one replica each.
pub fn small_deployments<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut yaml = String::new();
    for name in names {
        write!(
            yaml,
            "---
apiVersion: llm.example.com/v1alpha1
kind: LLMDeployment
metadata:
  name: {name}
spec:
  modelRef: small
  replicas: 1
"
        )
        .unwrap();
    }
    yaml
}
