//! A cluster of its own, with an operator that serves external metrics to it through a proxy.

use serde_json::{Value, json};
use testkit::{Cluster, ClusterBuilder, NodeOptions, NodeSpec, node::Speed, plane::proxy::FaultProxy};

use crate::{
    common::{EXTERNAL_METRICS, Operator, PATIENCE, Space, install, operator_access, spawn_operator},
    look::{Scaled, spec},
};

/// See the module.
pub struct Place {
    /// The cluster.
    pub cluster: &'static Cluster,
    /// A namespace.
    pub space: Space,
    /// Between operators and the API server.
    pub proxy: FaultProxy,
}

impl Place {
    /// A fresh one, without an operator.
    pub async fn new() -> Self {
        Self::with(|cluster| cluster).await
    }

    /// A fresh one whose cluster is built in another way.
    pub async fn with(change: impl FnOnce(ClusterBuilder) -> ClusterBuilder) -> Self {
        let options = NodeOptions {
            speed: Speed::loading(1000.0),
            ..NodeOptions::default()
        };
        let cluster = change(Cluster::builder().audit().node_options(options));
        let cluster = cluster
            .node(NodeSpec::h100("fast", 8))
            .node(NodeSpec::l4("slow-0", 8))
            .node(NodeSpec::l4("slow-1", 8));
        let cluster: &'static Cluster = Box::leak(Box::new(cluster.start().await.unwrap()));
        install(cluster, true).await;
        let proxy = cluster.fault_proxy().await.unwrap();
        Self {
            cluster,
            space: Space::of(cluster, "promises").await,
            proxy,
        }
    }

    /// An operator, ready.
    pub async fn operator(&self, name: &str, args: &[&str]) -> Operator {
        let access = operator_access(self.cluster).await.through(&self.proxy.url());
        let mut operator = spawn_operator(&access, name, &[&EXTERNAL_METRICS, args].concat());
        operator
            .process
            .wait_ready(&format!("{}/readyz", operator.url), PATIENCE)
            .await
            .unwrap();
        operator
    }

    /// A resource that promises a throughput for which one replica is too few, with or without load.
    pub async fn promised(&self, name: &str) {
        let promise = json!({"outputTokensPerSecond": 40_000, "maxReplicas": 4});
        self.space
            .apply(&spec(
                "LLMModel",
                name,
                json!({"replicas": 1, "scaling": promise}),
            ))
            .await;
    }

    /// That resource.
    pub fn scaled<'a>(&'a self, name: &'a str) -> Scaled<'a> {
        Scaled {
            space: &self.space,
            kind: "llmmodels.ai.example.com",
            name,
        }
    }

    /// The number that is served, or what is said instead.
    pub async fn served(&self, name: &str) -> Result<String, String> {
        let path = format!(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/llm_operator_desired_replicas?labelSelector=llm-operator.io/name={name}",
            self.space.namespace
        );
        let (worked, said) = self.space.kubectl(&["get", "--raw", &path]).await;
        let list: Option<Value> = serde_json::from_str(&said).ok().filter(|_| worked);
        let number = list.as_ref().and_then(|list| list["items"][0]["value"].as_str());
        match number {
            Some(number) => Ok(number.to_owned()),
            None => Err(format!("{said}; the API: {}", self.standing().await)),
        }
    }

    /// What the API server thinks of the API of external metrics.
    async fn standing(&self) -> String {
        let conditions = "jsonpath={.status.conditions}";
        let name = "v1beta1.external.metrics.k8s.io";
        self.space
            .kubectl(&["get", "apiservices", name, "-o", conditions])
            .await
            .1
    }
}

/// More than one replica, and all serve.
pub fn several(status: &Value) -> bool {
    status["scaling"]["desiredReplicas"].as_i64() > Some(1)
        && status["state"] == "Ready"
        && status["readyReplicas"] == status["scaling"]["desiredReplicas"]
}
