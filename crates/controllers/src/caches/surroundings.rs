//! The cluster around a workload, as the diagnosis asks for it.

use std::sync::Arc;

use diagnosis::{
    Surroundings,
    facts::{ClaimFacts, EventFacts, NodeFacts, PodFacts},
};
use reconcile::cache::WatchState;

use super::Caches;

impl Surroundings for Caches {
    fn nodes(&self) -> Vec<Arc<NodeFacts>> {
        self.nodes
            .list(None)
            .iter()
            .map(|node| node.facts.clone())
            .collect()
    }

    fn node(&self, name: &str) -> Option<Arc<NodeFacts>> {
        self.nodes.get("", name).map(|node| node.facts.clone())
    }

    fn gpu_pods(&self) -> Vec<Arc<PodFacts>> {
        self.pods.with_devices()
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>> {
        self.claims.get(namespace, name)
    }

    fn events(&self, uid: &str) -> Vec<Arc<EventFacts>> {
        let mut events = self.pod_events.indexed(uid);
        events.extend(self.claim_events.indexed(uid));
        events
    }

    fn storage_classes(&self) -> Option<Vec<Box<str>>> {
        let unknown = |state: &WatchState| {
            matches!(
                state,
                WatchState::Starting
                    | WatchState::Forbidden(_)
                    | WatchState::Withheld(_)
                    | WatchState::NotServed
                    | WatchState::Foreign(_)
            )
        };
        let states = self.storage_classes.state();
        let known = !states.is_empty() && !states.iter().any(unknown);
        known.then(|| {
            let names = self.storage_classes.names().into_iter();
            names.map(|(_, name)| (*name).into()).collect()
        })
    }
}
