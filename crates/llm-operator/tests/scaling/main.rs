//! Promises of latency are kept: the real autoscaler of Kubernetes, the number that the operator serves, simulated engines that slow
//! down under load, and clients that notice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;

mod load;
mod look;
mod others;
mod promises;
mod to_zero;
mod under_load;

use common::Bed;
use testkit::{Cluster, ClusterBuilder, NodeOptions, NodeSpec, node::Speed};

/// Nodes of slow GPUs, on which few tokens are much load, and as many of fast ones. Weights load in a moment; tokens come in real time.
async fn bed() -> &'static Bed {
    let build = || {
        let cluster = Cluster::builder().audit().node_options(NodeOptions {
            speed: Speed::loading(1000.0),
            ..NodeOptions::default()
        });
        let slow = (0..8).map(|number| NodeSpec::l4(format!("slow-{number}"), 8));
        // Each of the documents' examples has room beside all the others.
        let fast = (0..8).map(|number| NodeSpec::h100(format!("fast-{number}"), 8));
        slow.chain(fast)
            .fold(cluster, ClusterBuilder::node)
            .node(NodeSpec::a100_80("few", 2))
    };
    common::bed_running(build, &common::EXTERNAL_METRICS).await
}
