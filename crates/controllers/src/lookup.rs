//! What a resource may look up beside itself: caches while the operator runs, files when it renders.
//!
//! In: namespaces and names. Out: what is known of them. It asks nobody.

use std::sync::Arc;

use api::{llm_example_com::v1alpha1::LLMModel, premlabs_io::v1alpha1::AIModelMap};
use diagnosis::facts::ClaimFacts;
use reconcile::WatchCache;
use serving::{catalogue::Catalogue, sizing::NodeGpus};

use crate::{
    ai_model_map::status::{Files, files},
    catalogued::token::Token,
};

/// Why something that was looked up is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// It does not exist.
    Missing,
    /// It exists, and its stored form does not fit this version's types; what does not fit.
    Unreadable(Arc<str>),
}

/// See the module.
pub trait Lookup {
    /// An `LLMModel`.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    fn model(&self, namespace: &str, name: &str) -> Result<Arc<LLMModel>, Absent>;

    /// An `AIModelMap`.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    fn model_map(&self, namespace: &str, name: &str) -> Result<Arc<AIModelMap>, Absent>;

    /// Where the configuration files of a map are.
    fn map_files(&self, map: &AIModelMap) -> Files {
        files(map.status.as_ref(), map.metadata.generation.unwrap_or_default())
    }

    /// A claim.
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>>;

    /// The models that are known by name.
    fn catalogue(&self) -> Arc<Catalogue>;

    /// Whether a Pod of the resource serves; `owner` as in [`diagnosis::facts::Owner::kind`].
    fn serves(&self, owner: &str, namespace: &str, name: &str) -> bool;

    /// What is known of the token of gated models in a namespace.
    fn token(&self, namespace: &str) -> Token;

    /// The GPUs of every node; `None` when nodes are not known.
    fn gpu_nodes(&self) -> Option<Vec<NodeGpus>>;

    /// The namespace in which the operator runs; always admitted by a narrowed NetworkPolicy.
    fn operator_namespace(&self) -> &str;
}

/// One object of a cache.
///
/// # Errors
/// It is missing or cannot be read.
pub fn look_up<T>(cache: &WatchCache<T>, namespace: &str, name: &str) -> Result<Arc<T>, Absent> {
    cache
        .get(namespace, name)
        .ok_or_else(|| match cache.unreadable(namespace, name) {
            Some(error) => Absent::Unreadable(error),
            None => Absent::Missing,
        })
}
