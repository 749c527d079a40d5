//! Why a model cannot be sized, each with the way out.

use std::collections::BTreeMap;

use super::{NodeGpus, words::either};
use crate::catalogue::Version;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizingError {
    /// Too large for the GPUs asked for, or for any number of them in one node.
    #[error("{model} does not fit: {why}; {}", way_out(.ways))]
    DoesNotFit {
        /// The model.
        model: String,
        /// The arithmetic.
        why: String,
        /// What would fit.
        ways: Vec<String>,
    },
    /// The type of GPU is not known.
    #[error(
        "{name:?} is no GPU that is known; use {known}, or the value of the node label nvidia.com/gpu.product"
    )]
    UnknownGpu {
        /// What was asked for.
        name: String,
        /// Names that are known.
        known: String,
    },
    /// No node that exists could ever hold it.
    #[error("no node could ever hold it: it needs {needs}, and {exists}; {message}")]
    NoSuchNode {
        /// What a node must have.
        needs: String,
        /// What there is.
        exists: String,
        /// What to do.
        message: String,
    },
    /// The heads do not divide.
    #[error(
        "{model} cannot be split over {gpus} GPUs: its {heads} attention heads ({kv_heads} for keys and values) do not \
         divide by {gpus}; use {}", either(.possible)
    )]
    CannotSplit {
        /// The model.
        model: String,
        /// GPUs asked for.
        gpus: u32,
        /// Attention heads.
        heads: u32,
        /// Heads of keys and values.
        kv_heads: u32,
        /// Numbers of GPUs that divide, at most 8.
        possible: Vec<String>,
    },
    /// Offline, nobody can tell which GPUs there are.
    #[error(
        "no type of GPU is said, and no nodes are known to choose from (render takes them by --nodes); name one of {known}"
    )]
    GpuNeeded {
        /// Names that are known.
        known: String,
    },
    /// The model has no weights of that precision.
    #[error("{model} has no weights in {asked}; use {}, or set source to a repository that has them", either(.possible))]
    NoSuchQuantization {
        /// The model.
        model: String,
        /// What was asked for.
        asked: String,
        /// What there is.
        possible: Vec<String>,
    },
    /// The model was not made for sequences that long.
    #[error("{model} takes at most {most} tokens, and {asked} were asked for; lower contextLength")]
    ContextTooLong {
        /// The model.
        model: String,
        /// Tokens asked for.
        asked: u64,
        /// The model's own limit.
        most: u64,
    },
    /// The image's engine is too old for the architecture.
    #[error("{model} needs {engine} {least} or newer, and {image} is {is}; use a newer image")]
    EngineTooOld {
        /// The model.
        model: String,
        /// The engine.
        engine: &'static str,
        /// Oldest version that has the architecture.
        least: Version,
        /// The image.
        image: String,
        /// Its version.
        is: Version,
    },
    /// The engine cannot serve the model from the catalogue's data.
    #[error("{model} cannot be served by engine {engine}: {why}")]
    Engine {
        /// The model.
        model: String,
        /// The engine.
        engine: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
}

fn way_out(ways: &[String]) -> String {
    if ways.is_empty() {
        "nothing that the catalogue knows would fit; use a smaller model".to_owned()
    } else {
        format!("what would fit: {}", either(ways))
    }
}

/// `there are 3 nodes with 8 x NVIDIA-H100-80GB-HBM3 and 1 node with 1 x NVIDIA-L4`.
pub(super) fn exists(nodes: &[NodeGpus]) -> String {
    let mut kinds: BTreeMap<(&str, u32), u32> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.allocatable > 0) {
        let product = node
            .product
            .as_deref()
            .unwrap_or("GPU without the label nvidia.com/gpu.product");
        *kinds.entry((product, node.allocatable)).or_default() += 1;
    }
    if kinds.is_empty() {
        return "no node has a GPU".to_owned();
    }
    let shown = 6;
    let mut words: Vec<String> = kinds
        .iter()
        .take(shown)
        .map(|((product, gpus), nodes)| {
            let plural = if *nodes == 1 { "node" } else { "nodes" };
            format!("{nodes} {plural} with {gpus} x {product}")
        })
        .collect();
    if kinds.len() > shown {
        words.push(format!("{} more kinds", kinds.len() - shown));
    }
    format!("there are {}", words.join(" and "))
}
