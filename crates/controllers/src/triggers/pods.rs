//! Changes of Pods, and events about them.

use diagnosis::facts::{EventFacts, PodFacts};
use reconcile::{Change, ObjectKey};

use super::llm_key;
use crate::caches::{pods::Pods, roots::ServingRoots};

/// Index key of Pods that ask for devices.
pub(crate) const HOLDS_DEVICES: &str = "devices";

/// Index key: Pods by the resource that they belong to; `owner` as in [`diagnosis::facts::Owner::kind`].
pub(crate) fn owner_key(owner: &str, namespace: &str, name: &str) -> String {
    format!("owner:{owner}/{namespace}/{name}")
}

/// Index key: Pods by their own uid.
pub(crate) fn uid_key(uid: &str) -> String {
    format!("uid:{uid}")
}

/// Index keys of a Pod: its owner, itself by uid, and whether it asks for devices.
pub(crate) fn pod_keys(pod: &PodFacts) -> Vec<String> {
    let owner = pod.owner.as_ref();
    let owner = owner.map(|owner| owner_key(&owner.kind, &pod.namespace, &owner.name));
    let devices = (!pod.devices.is_empty()).then(|| HOLDS_DEVICES.to_owned());
    owner
        .into_iter()
        .chain(devices)
        .chain([uid_key(&pod.uid)])
        .collect()
}

/// The owner of a Pod, when something that a diagnosis reads changed; and whoever waits for GPUs, when it takes or
/// frees some.
pub(crate) fn pod_changed(change: &Change<'_, PodFacts>, roots: &ServingRoots) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    let held = |pod: Option<&PodFacts>| pod.is_some_and(PodFacts::holds_devices);
    let mut keys = if held(change.old) == held(change.new) {
        Vec::new()
    } else {
        roots.waiting_for_gpus()
    };
    // Both: a Pod whose labels are changed by hand leaves its resource without going.
    let pods = [change.old, change.new].into_iter().flatten();
    keys.extend(pods.filter_map(|pod| roots.owner_of(pod)));
    // Who looks at a Pod by its name, without having made it.
    keys.extend(roots.filed_under(&llm_key(change.namespace, change.name)));
    keys
}

/// The resources of the name of the workload that an event is about.
pub(crate) fn workload_event_changed(
    change: &Change<'_, EventFacts>,
    roots: &ServingRoots,
) -> Vec<ObjectKey> {
    let event = change.new.filter(|new| change.old != Some(*new));
    event.map_or_else(Vec::new, |event| {
        roots.namesakes(&event.namespace, &event.involved_name)
    })
}

/// The owner of the Pod that an event is about; for a claim, whoever has a Pod that mounts it.
pub(crate) fn event_changed(
    change: &Change<'_, EventFacts>,
    pods: &Pods,
    roots: &ServingRoots,
) -> Vec<ObjectKey> {
    // An event that expires takes nothing back; one that is seen once more in the same words is no news.
    let Some(event) = change.new.filter(|new| change.old != Some(*new)) else {
        return Vec::new();
    };
    let concerned = if &*event.involved_kind == "Pod" {
        pods.with_uid(&event.involved_uid)
    } else {
        pods.mounting(&event.namespace, &event.involved_name)
    };
    let mut keys: Vec<ObjectKey> = concerned.iter().filter_map(|pod| roots.owner_of(pod)).collect();
    keys.dedup();
    keys
}
