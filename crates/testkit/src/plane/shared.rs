//! One cluster for all tests of a process.
//!
//! In: how to build it, asked of the first caller. Out: a reference good until the process exits. The operating system
//! then closes the cluster's pipes, and its supervisors clean up.

use tokio::sync::OnceCell;

use super::builder::ClusterBuilder;
use super::cluster::Cluster;
use super::error::ClusterError;

static SHARED: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster of this process, started by the first caller with what `build` gives. Tests that share it keep apart by
/// namespaces. A start that fails is tried again by the next caller.
pub async fn shared(build: impl FnOnce() -> ClusterBuilder) -> Result<&'static Cluster, ClusterError> {
    SHARED.get_or_try_init(|| build().start()).await
}
