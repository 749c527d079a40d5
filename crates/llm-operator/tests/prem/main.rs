//! `AIDeployment` and `AIModelMap` on a real control plane: engines, models, children, status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod deepspeed;
mod downloads;
mod engines;
mod examples;
mod generic;
mod local_ai;
mod mistakes;
mod request_path;
mod seen;
mod triton;
mod vllm;

use testkit::{Cluster, ImageTable, NodeOptions, NodeSpec, node::Speed};

/// The bed of this program: weights load at once, probes and back-offs run five times as fast as written, and the image
/// of DeepSpeed-MII is private, as prem-operator's users know it.
async fn bed() -> &'static common::Bed {
    let images = ImageTable::default();
    let mii = images.find("premai/deepspeed-mii").unwrap().clone().private();
    let options = NodeOptions {
        images: images.with("premai/deepspeed-mii", mii),
        speed: Speed::INSTANT,
        probe_scale: 0.2,
        backoff_scale: 0.1,
        ..NodeOptions::default()
    };
    common::bed_with(|| {
        Cluster::builder()
            .node_options(options)
            .node(NodeSpec::h100("gpu-0", 8))
            .node(NodeSpec::h100("gpu-1", 8))
            .node(NodeSpec::h100("gpu-2", 8))
    })
    .await
}
