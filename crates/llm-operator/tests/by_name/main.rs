//! Kinds that name a model of the catalogue: `ai.example.com`'s `LLMModel` and `ModelDeployment`, `DynamoGraphDeployment`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;

mod catalogue;
mod children;
mod documents;
mod drift;
mod dynamo;
mod edits;
mod elders;
mod full;
mod names;
mod nodes;
mod overrides;
mod quiet;
mod refusals;
mod seen;
mod storage;
mod tokens;

use common::Bed;
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};

/// Sixteen nodes of 8 x H100: enough for all tests side by side. Weights of 131 GiB load in a moment.
async fn bed() -> &'static Bed {
    let build = || {
        let cluster = Cluster::builder().node_options(NodeOptions {
            speed: Speed::loading(1000.0),
            ..NodeOptions::default()
        });
        (0..16).fold(cluster, |cluster, number| {
            cluster.node(NodeSpec::h100(format!("gpu-{number}"), 8))
        })
    };
    common::bed_running(build, &common::EXTERNAL_METRICS).await
}
