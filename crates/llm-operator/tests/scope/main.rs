//! How far the operator reaches: some families, some namespaces, no more rights than these take, and not one request beyond them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod families;
mod kinds;
mod roles;

use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};

/// The cluster of this program, with the definitions and the shipped roles, and without an operator.
async fn cluster() -> &'static Cluster {
    common::stand::cluster_with(|| {
        let options = NodeOptions {
            speed: Speed::INSTANT,
            probe_scale: 0.2,
            ..NodeOptions::default()
        };
        Cluster::builder()
            .audit()
            .node_options(options)
            .node(NodeSpec::h100("gpu-0", 8))
            .node(NodeSpec::h100("gpu-1", 8))
    })
    .await
}
