//! Where it happens: a control plane, simulated nodes, definitions and roles as shipped, replicas of the operator.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::declared::NAMESPACES;
use super::desk::Desk;
use super::journal::Journal;
use super::options::Options;
use super::replica::Replica;
use crate::manifests::{self, Definitions};
use crate::node::{NodeOptions, NodeSpec, Speed};
use crate::plane::{Cluster, ClusterError, Program};
use crate::wait::until;

/// GPUs of a node: room for all models also while nodes are away.
pub const GPUS: u32 = 64;
/// Pods of a node.
const PODS: u32 = 250;
/// Nodes at least, and resources for which there is one more.
const NODES: u32 = 4;
const RESOURCES_PER_NODE: u32 = 60;
/// A replica of the operator becomes ready, a namespace gets its service account.
const STARTED: Duration = Duration::from_mins(1);

/// See the module.
#[derive(Debug)]
pub struct Stage {
    /// Administrator's requests.
    pub desk: Desk,
    /// Replicas of the operator.
    pub replicas: Vec<Replica>,
    /// The nodes, as they are made.
    pub nodes: Vec<NodeSpec>,
    /// The control plane.
    pub cluster: Cluster,
}

impl Stage {
    /// Starts all of it.
    pub async fn start(options: &Options, journal: &Arc<Journal>) -> Result<Arc<Self>, String> {
        let count = NODES + options.sizes.resources / RESOURCES_PER_NODE;
        let nodes: Vec<NodeSpec> = (0..count)
            .map(|number| NodeSpec::h100(format!("node-{number}"), GPUS).room_for(PODS))
            .collect();
        let mut builder = Cluster::builder().audit().node_options(NodeOptions {
            speed: Speed {
                load: f64::INFINITY,
                generate: f64::INFINITY,
            },
            backoff_scale: 0.02,
            probe_scale: 0.3,
            normal_events: false,
            ..NodeOptions::default()
        });
        for node in &nodes {
            builder = builder.node(node.clone());
        }
        let cluster = builder.start().await.map_err(|error| error.to_string())?;
        install(&cluster, options).await?;
        let desk = Desk::new(cluster.admin_client().await.map_err(|error| error.to_string())?);
        settle_namespaces(&desk).await?;
        let access = manifests::access(&cluster)
            .await
            .map_err(|error| error.to_string())?;
        let mut replicas = Vec::new();
        for number in 0..options.replicas {
            let identity = format!("operator-{number}");
            let proxy = cluster.fault_proxy().await.map_err(|error| error.to_string())?;
            let kubeconfig = cluster.directory().join(format!("{identity}.kubeconfig"));
            let way = access.through(&proxy.url());
            way.write_kubeconfig(&kubeconfig)
                .map_err(|error| error.to_string())?;
            let log = cluster.directory().join(format!("{identity}.log"));
            replicas.push(Replica::new(
                &identity,
                proxy,
                &options.operator,
                kubeconfig,
                log,
            )?);
        }
        let stage = Arc::new(Self {
            desk,
            replicas,
            nodes,
            cluster,
        });
        for replica in &stage.replicas {
            replica.keep(journal)?;
        }
        stage.leader().await?;
        Ok(stage)
    }

    /// The replica that leads; waited for.
    pub async fn leader(&self) -> Result<&Replica, String> {
        until("a leader", STARTED, async || self.leads_now().await)
            .await
            .map_err(|error| error.to_string())
    }

    /// Starts components of the control plane again that have ended by themselves, as a kubelet does with static Pods:
    /// controller manager and scheduler end when they cannot reach the API server.
    pub async fn keep_plane(&self, journal: &Journal) {
        for program in [Program::ApiServer, Program::ControllerManager, Program::Scheduler] {
            if matches!(self.cluster.check(program), Err(ClusterError::Died { .. })) {
                let started = self.cluster.start(program).await;
                journal.say(format!(
                    "{} had ended and is started again: {started:?}",
                    program.name()
                ));
            }
        }
    }

    /// Kubernetes' own garbage collector may stand still for good when discovery failed while the API server was away (seen
    /// with an `APIService` that nobody answers); what it has to collect then stays. An administrator restarts it.
    pub async fn heal_plane(&self) -> Result<(), String> {
        self.cluster.stop(Program::ControllerManager);
        let started = self.cluster.start(Program::ControllerManager).await;
        started.map_err(|error| error.to_string())
    }

    /// The replica that leads now.
    pub async fn leads_now(&self) -> Option<&Replica> {
        for replica in &self.replicas {
            if replica.leads().await {
                return Some(replica);
            }
        }
        None
    }
}

async fn install(cluster: &Cluster, options: &Options) -> Result<(), String> {
    let mut documents = Vec::new();
    for which in [Definitions::Own, Definitions::Optional] {
        let definitions = manifests::definitions(&options.operator, which).await;
        documents.push(definitions.map_err(|error| error.to_string())?);
    }
    documents.push(manifests::roles(&options.root).map_err(|error| error.to_string())?);
    for number in 0..NAMESPACES {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("chaos-{number}")}});
        documents.push(namespace.to_string());
    }
    let applied = cluster.apply_yaml(&documents.join("\n---\n")).await;
    applied.map(drop).map_err(|error| error.to_string())
}

async fn settle_namespaces(desk: &Desk) -> Result<(), String> {
    for number in 0..NAMESPACES {
        let path = format!("/api/v1/namespaces/chaos-{number}/serviceaccounts/default");
        until("the default ServiceAccount", STARTED, async || {
            desk.get(&path).await
        })
        .await
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}
