//! The GPUs of every node, and how many of them no Pod has.

use std::collections::BTreeMap;

use diagnosis::{Surroundings as _, facts::NodeFacts};
use serving::sizing::NodeGpus;

use super::Caches;

/// What a node advertises.
const RESOURCE: &str = "nvidia.com/gpu";

/// Every node with GPUs; `None` when nodes may not be read.
pub(crate) fn gpu_nodes(caches: &Caches) -> Option<Vec<NodeGpus>> {
    // What was seen before a right went is better than nothing.
    if !caches.nodes.is_listed() && caches.nodes.is_empty() {
        return None;
    }
    let mut taken: BTreeMap<Box<str>, i64> = BTreeMap::new();
    for pod in caches.gpu_pods().iter().filter(|pod| pod.holds_devices()) {
        if let Some(node) = &pod.node {
            *taken.entry(node.clone()).or_default() += pod.device_count(RESOURCE);
        }
    }
    let nodes = caches.nodes();
    let gpus = nodes
        .iter()
        .map(|node| gpus_of(node, taken.get(&node.name).copied().unwrap_or_default()));
    Some(gpus.filter(|node| node.allocatable > 0).collect())
}

/// The GPUs of one node, of which so many are taken.
pub(crate) fn gpus_of(node: &NodeFacts, taken: i64) -> NodeGpus {
    let count = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
    let allocatable = node.device_count(RESOURCE);
    NodeGpus {
        node: node.name.to_string(),
        // One that Pods cannot select is as good as none.
        product: node
            .gpu_product
            .as_deref()
            .filter(|_| node.gpu_selectable)
            .map(str::to_owned),
        memory_mib: node.gpu_memory_mib,
        allocatable: count(allocatable),
        free: if node.usable() {
            count(allocatable - taken)
        } else {
            0
        },
    }
}
