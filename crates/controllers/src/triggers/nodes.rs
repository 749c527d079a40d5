//! Changes of what Pods wait for: nodes, GPUs that others hold, storage classes.

use std::sync::Arc;

use diagnosis::facts::{NodeFacts, PodFacts};
use reconcile::{Change, ObjectKey};

use crate::caches::roots::ServingRoots;

/// Everything that is not ready: a node that comes, goes or changes may be what it waits for. Heartbeats are no
/// change, since the facts have none.
pub(crate) fn node_changed(change: &Change<'_, NodeFacts>, roots: &ServingRoots) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    roots.not_ready()
}

/// Whoever waits for GPUs, when a Pod of others takes or frees some.
pub(crate) fn holder_changed(
    change: &Change<'_, Option<Arc<PodFacts>>>,
    roots: &ServingRoots,
) -> Vec<ObjectKey> {
    if change.old.and_then(Option::as_ref) == change.new.and_then(Option::as_ref) {
        return Vec::new();
    }
    roots.waiting_for_gpus()
}

/// Everything that is not ready, when a storage class comes or goes.
pub(crate) fn class_changed(change: &Change<'_, ()>, roots: &ServingRoots) -> Vec<ObjectKey> {
    if change.old.is_some() == change.new.is_some() {
        return Vec::new();
    }
    roots.not_ready()
}
