//! Changes of what was made, and of what its owners or others do with it: children, claims, autoscalers.

use api::llm_example_com::v1alpha1::LLMModel;
use diagnosis::facts::ClaimFacts;
use reconcile::{Change, Child, ObjectKey, WatchCache};

use super::named;
use crate::{
    caches::roots::{Owners, ServingRoots},
    scaler::Scaler,
    workload::WorkloadKind,
};

/// The owner of a child; and when one goes, the resources of its name, and those whose children have its name.
pub(crate) fn child_changed<F>(
    change: &Change<'_, Child<F>>,
    owners: &Owners,
    roots: &ServingRoots,
) -> Vec<ObjectKey> {
    let mut keys = change.owner_key(owners.kinds());
    // Somebody else's object in our place may be what a resource of its name waits for.
    if change.new.is_none() {
        let namesakes = owners.namesakes(change.namespace, change.name);
        let named = roots.filed_under(&llm_key(change.namespace, change.name));
        let others: Vec<ObjectKey> = namesakes
            .into_iter()
            .chain(named)
            .filter(|key| !keys.contains(key))
            .collect();
        keys.extend(others);
    }
    keys
}

/// Index key: resources by the name of what they make or look at, where that is not their own.
pub(crate) fn llm_key(namespace: &str, llm_name: &str) -> String {
    named("llm", namespace, llm_name)
}

/// Index key: autoscalers by the workload that they target.
pub(crate) fn scaled_key(kind: WorkloadKind, namespace: &str, name: &str) -> String {
    named(kind.as_str(), namespace, name)
}

/// Index key of an autoscaler, if it targets a workload.
pub(crate) fn scaler_keys(scaler: &Scaler) -> Vec<String> {
    let target = scaler.target.iter();
    target
        .map(|(kind, name)| scaled_key(*kind, &scaler.namespace, name))
        .collect()
}

/// The resources whose child is, or was, the autoscaler's target.
pub(crate) fn scaler_changed(change: &Change<'_, Scaler>, roots: &ServingRoots) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    let mut targets: Vec<&str> = [change.old, change.new]
        .into_iter()
        .flatten()
        .filter_map(|scaler| scaler.target.as_ref().map(|(_, name)| &**name))
        .collect();
    targets.dedup();
    targets
        .into_iter()
        .flat_map(|target| roots.namesakes(change.namespace, target))
        .collect()
}

/// The resources of the claim's name, those that name it, and those of models that name it.
pub(crate) fn claim_changed(
    change: &Change<'_, ClaimFacts>,
    models: &WatchCache<LLMModel>,
    roots: &ServingRoots,
) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    let claim = named("claim", change.namespace, change.name);
    let mut keys = roots.filed_under(&claim);
    for (namespace, model) in models.indexed_names(&claim) {
        keys.extend(roots.filed_under(&named("model", &namespace, &model)));
    }
    keys.extend(roots.namesakes(change.namespace, change.name));
    keys
}
