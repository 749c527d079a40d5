//! What kind of cluster is wanted.
//!
//! In: choices of a test or person. Out: [`ClusterBuilder::start`], the running [`Cluster`].

use std::path::PathBuf;

use super::cluster::Cluster;
use super::error::ClusterError;
use super::pki::Identity;
use super::runtime::Background;
use super::start;
use crate::node::{NodeOptions, NodeSpec, SimulatedNodes};

/// The choices; every default suits an integration test.
#[derive(Debug, Clone, Default)]
pub struct ClusterBuilder {
    pub(super) bare: bool,
    pub(super) directory: Option<PathBuf>,
    pub(super) audit: bool,
    pub(super) api_server_flags: Vec<String>,
    pub(super) controller_manager_flags: Vec<String>,
    nodes: Vec<NodeSpec>,
    node_options: NodeOptions,
}

impl ClusterBuilder {
    /// etcd and the API server alone: no controllers, no scheduler. Nothing else then contends for the CPU.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Keeps the cluster's state in this directory and syncs it to disk. Started there again, the cluster has the same
    /// objects, certificate authority and tokens. Default: a temporary directory that goes with the cluster.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Records every request, for [`Cluster::audit_log`]. Default: off.
    #[must_use]
    pub fn audit(mut self) -> Self {
        self.audit = true;
        self
    }

    /// One more flag for kube-apiserver, such as `--feature-gates=…`. Later flags win.
    #[must_use]
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// One more flag for kube-controller-manager. Later flags win.
    #[must_use]
    pub fn controller_manager_flag(mut self, flag: impl Into<String>) -> Self {
        self.controller_manager_flags.push(flag.into());
        self
    }

    /// One more simulated node, registered before [`ClusterBuilder::start`] returns.
    #[must_use]
    pub fn node(mut self, node: NodeSpec) -> Self {
        self.nodes.push(node);
        self
    }

    /// How the simulated nodes behave: images, speed, back-offs.
    #[must_use]
    pub fn node_options(mut self, options: impl Into<NodeOptions>) -> Self {
        self.node_options = options.into();
        self
    }

    /// Starts the cluster and waits until Pods can be created in it, about three seconds. The first start on a machine
    /// builds the executables, which takes minutes and reports its progress on standard error.
    pub async fn start(mut self) -> Result<Cluster, ClusterError> {
        let background = Background::start("local-cluster")
            .map_err(ClusterError::io("cannot start the cluster's threads"))?;
        let specs = std::mem::take(&mut self.nodes);
        let mut options = self.node_options.clone();
        let kept = self.directory.as_ref().map(|directory| directory.join("claims"));
        options.claims = options.claims.or(kept);
        let started = background.run(start::start(self)).await;
        let plane = started.ok_or(ClusterError::CutShort {
            what: "starting the cluster",
        })??;
        let nodes = if specs.is_empty() {
            None
        } else {
            let config = plane.access(Identity::Nodes).config().await?;
            Some(SimulatedNodes::start(config, specs, options).await?)
        };
        Ok(Cluster::new(plane, background, nodes))
    }
}
