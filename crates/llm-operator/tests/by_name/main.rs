//! Kinds that name a model of the catalogue: `ai.example.com`'s `LLMModel` and `ModelDeployment`, `DynamoGraphDeployment`.

#[path = "../common/mod.rs"]
mod common;
mod documents;
mod seen;

use common::Bed;
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};

/// Six nodes of 8 x H100: enough for the documents' examples side by side. Weights of 131 GiB load in a moment.
async fn bed() -> &'static Bed {
    let build = || {
        let nodes = ["gpu-0", "gpu-1", "gpu-2", "gpu-3", "gpu-4", "gpu-5"];
        let cluster = Cluster::builder().node_options(NodeOptions {
            speed: Speed::loading(1000.0),
            ..NodeOptions::default()
        });
        nodes
            .into_iter()
            .fold(cluster, |cluster, name| cluster.node(NodeSpec::h100(name, 8)))
    };
    common::bed_running(build, &common::EXTERNAL_METRICS).await
}
