//! What a diagnosis may ask about the rest of the cluster.
//!
//! In: a cache that the caller keeps. Out: facts, asked for only when a Pod is in trouble.
//! Must not: fetch anything; an answer of `None` means "not known here".

use std::sync::Arc;

use crate::facts::{ClaimFacts, EventFacts, NodeFacts, PodFacts};

/// A view of the cluster, asked only about Pods that do not serve.
pub trait Surroundings {
    /// All nodes.
    fn nodes(&self) -> Vec<Arc<NodeFacts>>;
    /// One node by name.
    fn node(&self, name: &str) -> Option<Arc<NodeFacts>>;
    /// Pods of all namespaces that are known and ask for devices, ours and others'.
    fn gpu_pods(&self) -> Vec<Arc<PodFacts>>;
    /// A claim by namespace and name.
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>>;
    /// Warning events about the object with this uid, in any order.
    fn events(&self, uid: &str) -> Vec<Arc<EventFacts>>;
    /// Names of all storage classes; `None` when classes are not watched.
    fn storage_classes(&self) -> Option<Vec<Box<str>>>;
}

/// A fixed view, for offline use and tests.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All nodes.
    pub nodes: Vec<Arc<NodeFacts>>,
    /// All known Pods.
    pub pods: Vec<Arc<PodFacts>>,
    /// All known claims.
    pub claims: Vec<Arc<ClaimFacts>>,
    /// All known Warning events.
    pub events: Vec<Arc<EventFacts>>,
    /// Names of all storage classes; `None` when not known.
    pub storage_classes: Option<Vec<Box<str>>>,
}

impl Surroundings for Snapshot {
    fn nodes(&self) -> Vec<Arc<NodeFacts>> {
        self.nodes.clone()
    }

    fn node(&self, name: &str) -> Option<Arc<NodeFacts>> {
        self.nodes.iter().find(|node| &*node.name == name).cloned()
    }

    fn gpu_pods(&self) -> Vec<Arc<PodFacts>> {
        let asks = |pod: &&Arc<PodFacts>| !pod.devices.is_empty();
        self.pods.iter().filter(asks).cloned().collect()
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>> {
        let found = |claim: &&Arc<ClaimFacts>| &*claim.namespace == namespace && &*claim.name == name;
        self.claims.iter().find(found).cloned()
    }

    fn events(&self, uid: &str) -> Vec<Arc<EventFacts>> {
        let about = |event: &&Arc<EventFacts>| &*event.involved_uid == uid;
        self.events.iter().filter(about).cloned().collect()
    }

    fn storage_classes(&self) -> Option<Vec<Box<str>>> {
        self.storage_classes.clone()
    }
}
