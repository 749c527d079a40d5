//! Whom a change wakes.
//!
//! In: a change in one cache, and lookups in others. Out: the keys to reconcile. A change that no step reads wakes
//! nobody: this is what keeps an unchanged cluster at rest.

use std::sync::Arc;

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use diagnosis::facts::{ClaimFacts, EventFacts, NodeFacts, Owner, PodFacts};
use kube::{ResourceExt, core::object::HasStatus};
use reconcile::{Change, Child, ObjectKey, WatchCache};

use crate::{
    kinds::{LLM_DEPLOYMENT, LLM_DEPLOYMENT_LABEL, LLM_MODEL},
    referents::named_claims,
    scaler::Scaler,
};

/// Index key of Pods that ask for devices.
pub(crate) const HOLDS_DEVICES: &str = "devices";

/// Index key of deployments that wait for GPUs which somebody holds.
const WAITS_FOR_GPUS: &str = "waits:gpus";

/// Index keys of a deployment: the model that it names, and whether others' GPUs are what it waits for.
pub(crate) fn deployment_keys(deployment: &LLMDeployment) -> Vec<String> {
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let model = named("model", namespace, &deployment.spec.model_ref);
    let reason = deployment
        .status
        .as_ref()
        .and_then(|status| status.reason.as_deref());
    let waits = reason == Some(diagnosis::Reason::GpusTaken.as_str());
    let waits = waits.then(|| WAITS_FOR_GPUS.to_owned());
    [model].into_iter().chain(waits).collect()
}

/// Index keys: models by the claims that they name.
pub(crate) fn claim_keys(model: &LLMModel) -> Vec<String> {
    let namespace = model.metadata.namespace.as_deref().unwrap_or_default();
    named_claims(model)
        .iter()
        .map(|claim| named("claim", namespace, claim))
        .collect()
}

/// Index key: Pods by the deployment that they belong to.
pub(crate) fn owner_key(namespace: &str, name: &str) -> String {
    named("owner", namespace, name)
}

/// Index keys of a Pod: its owner, itself by uid, and whether it asks for devices.
pub(crate) fn pod_keys(pod: &PodFacts) -> Vec<String> {
    let owner = owner_of(pod.owner.as_ref(), &pod.namespace).map(|key| owner_key(&key.namespace, &key.name));
    let devices = (!pod.devices.is_empty()).then(|| HOLDS_DEVICES.to_owned());
    owner
        .into_iter()
        .chain(devices)
        .chain([format!("uid:{}", pod.uid)])
        .collect()
}

/// Index key: autoscalers by the Deployment that they target.
pub(crate) fn scaled_key(namespace: &str, name: &str) -> String {
    named("scaled", namespace, name)
}

/// Index key of an autoscaler, if it targets a Deployment.
pub(crate) fn scaler_keys(scaler: &Scaler) -> Vec<String> {
    let target = scaler.deployment.iter();
    target.map(|name| scaled_key(&scaler.namespace, name)).collect()
}

fn named(what: &str, namespace: &str, name: &str) -> String {
    format!("{what}:{namespace}/{name}")
}

/// Itself, when its spec changed, it comes or goes, or somebody else wrote its status. The status that we write wakes
/// nobody: the cache knows it before its echo comes.
pub(crate) fn deployment_changed(change: &Change<'_, LLMDeployment>) -> Vec<ObjectKey> {
    root_changed(change, LLM_DEPLOYMENT).into_iter().collect()
}

/// Itself and every deployment that names it.
pub(crate) fn model_changed(
    change: &Change<'_, LLMModel>,
    users: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    let Some(itself) = root_changed(change, LLM_MODEL) else {
        return Vec::new();
    };
    let users = users
        .indexed_names(&named("model", change.namespace, change.name))
        .into_iter();
    let deployments = users.map(|(namespace, name)| ObjectKey::new(LLM_DEPLOYMENT, namespace, name));
    deployments.chain([itself]).collect()
}

fn root_changed<K>(change: &Change<'_, K>, kind: &'static str) -> Option<ObjectKey>
where
    K: ResourceExt + HasStatus<Status: PartialEq>,
{
    if let (Some(old), Some(new)) = (change.old, change.new) {
        let same = old.meta().generation == new.meta().generation
            && old.meta().uid == new.meta().uid
            && old.meta().deletion_timestamp == new.meta().deletion_timestamp
            && old.status() == new.status();
        if same {
            return None;
        }
    }
    Some(ObjectKey::new(kind, change.namespace, change.name))
}

/// The owner of a Pod, when something that a diagnosis reads changed; and whoever waits for GPUs, when it takes or
/// frees some.
pub(crate) fn pod_changed(
    change: &Change<'_, PodFacts>,
    deployments: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    // Both: a Pod whose labels are changed by hand leaves its deployment without going.
    let owners = [change.old, change.new]
        .into_iter()
        .flatten()
        .filter_map(|pod| owner_of(pod.owner.as_ref(), change.namespace));
    let held = |pod: Option<&PodFacts>| pod.is_some_and(PodFacts::holds_devices);
    let mut keys = if held(change.old) == held(change.new) {
        Vec::new()
    } else {
        waiting_for_gpus(deployments)
    };
    keys.extend(owners);
    keys
}

/// Whoever waits for GPUs, when a Pod of others takes or frees some.
pub(crate) fn holder_changed(
    change: &Change<'_, Option<Arc<PodFacts>>>,
    deployments: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    if change.old.and_then(Option::as_ref) == change.new.and_then(Option::as_ref) {
        return Vec::new();
    }
    waiting_for_gpus(deployments)
}

/// Every deployment that is not ready, when a storage class comes or goes.
pub(crate) fn class_changed(
    change: &Change<'_, ()>,
    deployments: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    if change.old.is_some() == change.new.is_some() {
        return Vec::new();
    }
    not_ready(deployments)
}

fn waiting_for_gpus(deployments: &WatchCache<LLMDeployment>) -> Vec<ObjectKey> {
    let waiting = deployments.indexed_names(WAITS_FOR_GPUS).into_iter();
    waiting
        .map(|(namespace, name)| ObjectKey::new(LLM_DEPLOYMENT, namespace, name))
        .collect()
}

/// The owner of a child; and when one goes, the deployment of its name.
pub(crate) fn child_changed<F>(change: &Change<'_, Child<F>>) -> Vec<ObjectKey> {
    let mut keys = change.owner_key(&[LLM_DEPLOYMENT]);
    let is_gone = change.new.is_none();
    let namesake = ObjectKey::new(LLM_DEPLOYMENT, change.namespace, change.name);
    // Somebody else's object in our place may be what the deployment of its name waits for.
    if is_gone && !keys.contains(&namesake) {
        keys.push(namesake);
    }
    keys
}

/// The deployments whose child is, or was, the autoscaler's target.
pub(crate) fn scaler_changed(change: &Change<'_, Scaler>) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    let targets = [change.old, change.new]
        .into_iter()
        .flatten()
        .filter_map(|scaler| scaler.deployment.as_deref());
    let mut keys: Vec<ObjectKey> = targets
        .map(|target| ObjectKey::new(LLM_DEPLOYMENT, change.namespace, target))
        .collect();
    keys.dedup();
    keys
}

/// The deployment of the claim's name, and all deployments of models that name the claim.
pub(crate) fn claim_changed(
    change: &Change<'_, ClaimFacts>,
    models: &WatchCache<LLMModel>,
    users: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    let models = models.indexed_names(&named("claim", change.namespace, change.name));
    let mut keys: Vec<ObjectKey> = models
        .iter()
        .flat_map(|(namespace, model)| users.indexed_names(&named("model", namespace, model)))
        .map(|(namespace, name)| ObjectKey::new(LLM_DEPLOYMENT, namespace, name))
        .collect();
    if users.get(change.namespace, change.name).is_some() {
        keys.push(ObjectKey::new(LLM_DEPLOYMENT, change.namespace, change.name));
    }
    keys
}

/// Every deployment that is not ready: a node that comes, goes or changes may be what it waits for. Heartbeats are no
/// change, since the facts have none.
pub(crate) fn node_changed(
    change: &Change<'_, NodeFacts>,
    deployments: &WatchCache<LLMDeployment>,
) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    not_ready(deployments)
}

fn not_ready(deployments: &WatchCache<LLMDeployment>) -> Vec<ObjectKey> {
    let waiting = deployments
        .list(None)
        .into_iter()
        .filter(|deployment| !is_ready(deployment));
    waiting
        .map(|deployment| {
            ObjectKey::new(
                LLM_DEPLOYMENT,
                deployment.namespace().unwrap_or_default(),
                deployment.name_any(),
            )
        })
        .collect()
}

fn is_ready(deployment: &LLMDeployment) -> bool {
    let status = deployment.status.as_ref();
    status.is_some_and(|status| status.state == Some(api::shared::State::Ready))
}

/// The owner of the Pod that an event is about; for a claim, whoever has a Pod that mounts it.
pub(crate) fn event_changed(change: &Change<'_, EventFacts>, pods: &WatchCache<PodFacts>) -> Vec<ObjectKey> {
    // An event that expires takes nothing back; one that is seen once more in the same words is no news.
    let Some(event) = change.new.filter(|new| change.old != Some(*new)) else {
        return Vec::new();
    };
    let concerned = if &*event.involved_kind == "Pod" {
        pods.indexed(&format!("uid:{}", event.involved_uid))
    } else {
        let mounts = |pod: &PodFacts| pod.claims.contains(&event.involved_name);
        pods.list(Some(&event.namespace))
            .into_iter()
            .filter(|pod| mounts(pod))
            .collect()
    };
    let mut keys: Vec<ObjectKey> = concerned
        .iter()
        .filter_map(|pod| owner_of(pod.owner.as_ref(), &pod.namespace))
        .collect();
    keys.dedup();
    keys
}

/// The deployment that a Pod belongs to, if it is one of ours.
fn owner_of(owner: Option<&Owner>, namespace: &str) -> Option<ObjectKey> {
    let owner = owner.filter(|owner| *owner.kind == *LLM_DEPLOYMENT_LABEL)?;
    Some(ObjectKey::new(LLM_DEPLOYMENT, namespace, &*owner.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change<'a, T>(old: Option<&'a T>, new: Option<&'a T>) -> Change<'a, T> {
        Change {
            namespace: "n",
            name: "chat",
            old,
            new,
            error: None,
        }
    }

    fn deployment(generation: i64, state: &str) -> LLMDeployment {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment",
            "metadata": {"name": "chat", "namespace": "n", "uid": "1", "generation": generation,
                "resourceVersion": format!("{generation}{}", state.len())},
            "spec": {"modelRef": "m", "replicas": 1}, "status": {"state": state},
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_wakes_itself_by_its_spec_and_by_a_status_that_somebody_else_wrote() {
        let before = deployment(1, "Ready");
        let mut touched = before.clone();
        touched.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert!(deployment_changed(&change(Some(&before), Some(&touched))).is_empty());
        for after in [deployment(2, "Ready"), deployment(1, "Blocked")] {
            assert_eq!(deployment_changed(&change(Some(&before), Some(&after))).len(), 1);
        }
        assert_eq!(deployment_changed(&change(Some(&before), None)).len(), 1);
    }
}
