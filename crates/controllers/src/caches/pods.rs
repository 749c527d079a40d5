//! The Pods: those of what we made, by whom they belong to, and of all others those that hold devices.
//!
//! In: three watches that share no Pod. Out: facts. Pods of an `AIDeployment` carry none of our labels, so that one that
//! prem-operator made is not restarted when we take it over; they are known by its label.

use std::{sync::Arc, time::Duration};

use diagnosis::facts::{Owner, PodFacts};
use k8s_openapi::api::core::v1::Pod;
use reconcile::{CacheSpec, MANAGED_BY_SELECTOR, WatchCache, cache::Part};
use serving::labels::PREM_NAME;

use super::roots::ServingRoots;
use crate::{kinds::AI_DEPLOYMENT_LABEL, triggers};

/// A burst of Pod changes costs one reconcile; short beside the two seconds in which a status must tell the truth.
pub(crate) const BURST: Duration = Duration::from_millis(150);

/// Pods of `AIDeployment`s; one that carries our label by its user's wish is among ours.
const PREM: &str = "mlcontroller.premlabs.io/ai-deployment,app.kubernetes.io/managed-by!=llm-operator";
/// Pods that others made, while they can hold devices.
const OTHERS: &str = "!mlcontroller.premlabs.io/ai-deployment,app.kubernetes.io/managed-by!=llm-operator";
const ON_A_NODE: &str = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";
/// Who else takes GPUs is a number in a sentence; it may be late, and others' Pods may change by the thousand.
const OTHERS_BURST: Duration = Duration::from_secs(1);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pods {
    /// Of what we made; in the order of the selectors.
    own: [Arc<WatchCache<PodFacts>>; 2],
    /// Of others: nothing is kept of those without devices.
    others: Arc<WatchCache<Option<Arc<PodFacts>>>>,
}

impl Pods {
    pub(super) fn start(watches: &mut Part<'_>, roots: &ServingRoots) -> Self {
        Self {
            own: [MANAGED_BY_SELECTOR, PREM].map(|selector| watches.start(own(selector, roots.clone()))),
            others: watches.start(others(roots.clone())),
        }
    }

    /// The Pods of a resource; `owner` as in [`Owner::kind`].
    pub(super) fn of(&self, owner: &str, namespace: &str, name: &str) -> Vec<Arc<PodFacts>> {
        self.indexed(&triggers::owner_key(owner, namespace, name))
    }

    /// The Pod with this uid, if it is of what we made.
    pub(crate) fn with_uid(&self, uid: &str) -> Vec<Arc<PodFacts>> {
        self.indexed(&triggers::uid_key(uid))
    }

    /// Pods of what we made that mount the claim.
    pub(crate) fn mounting(&self, namespace: &str, claim: &str) -> Vec<Arc<PodFacts>> {
        let all = self.own.iter().flat_map(|cache| cache.list(Some(namespace)));
        all.filter(|pod| pod.claims.iter().any(|one| **one == *claim))
            .collect()
    }

    /// Every Pod that asks for devices.
    pub(super) fn with_devices(&self) -> Vec<Arc<PodFacts>> {
        let others = self.others.indexed(triggers::HOLDS_DEVICES);
        let mut pods = self.indexed(triggers::HOLDS_DEVICES);
        pods.extend(others.iter().filter_map(|pod| (**pod).clone()));
        pods
    }

    fn indexed(&self, key: &str) -> Vec<Arc<PodFacts>> {
        self.own.iter().flat_map(|cache| cache.indexed(key)).collect()
    }
}

fn own(selector: &str, roots: ServingRoots) -> CacheSpec<PodFacts> {
    CacheSpec::typed::<Pod>(|pod| facts(&pod))
        .labels(selector)
        .index(triggers::pod_keys)
        .coalesce(BURST)
        .on_change(move |change| triggers::pod_changed(change, &roots))
}

fn others(roots: ServingRoots) -> CacheSpec<Option<Arc<PodFacts>>> {
    CacheSpec::typed::<Pod>(|pod| PodFacts::from(&pod).into_holder().map(Arc::new))
        .labels(OTHERS)
        .fields(ON_A_NODE)
        .optional()
        .coalesce(OTHERS_BURST)
        .index(|holder| {
            holder
                .iter()
                .map(|_| triggers::HOLDS_DEVICES.to_owned())
                .collect()
        })
        .on_change(move |change| triggers::holder_changed(change, &roots))
}

/// A Pod's facts; whose it is is told by our labels, or else by prem-operator's.
fn facts(pod: &Pod) -> PodFacts {
    let mut facts = PodFacts::from(pod);
    if facts.owner.is_none() {
        let labels = pod.metadata.labels.as_ref();
        let name = labels.and_then(|labels| labels.get(PREM_NAME));
        facts.owner = name.map(|name| Owner {
            kind: AI_DEPLOYMENT_LABEL.into(),
            name: name.as_str().into(),
        });
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selectors_share_no_pod() {
        for selector in [PREM, OTHERS] {
            assert!(selector.contains(PREM_NAME));
            assert!(selector.contains(&MANAGED_BY_SELECTOR.replace('=', "!=")));
        }
    }

    #[test]
    fn pods_are_known_by_our_labels_or_by_those_of_prem_operator() {
        let owner = |labels: serde_json::Value| {
            let pod: Pod =
                serde_json::from_value(serde_json::json!({"metadata": {"name": "p", "labels": labels}}))
                    .unwrap();
            let owner = facts(&pod).owner;
            owner.map(|owner| format!("{} {}", owner.kind, owner.name))
        };
        let (kind, name) = (diagnosis::facts::KIND_LABEL, diagnosis::facts::NAME_LABEL);
        assert_eq!(
            owner(serde_json::json!({PREM_NAME: "simple"})).as_deref(),
            Some("aideployment.premlabs.io simple")
        );
        assert_eq!(
            owner(serde_json::json!({PREM_NAME: "simple", kind: "k.g", name: "chat"})).as_deref(),
            Some("k.g chat")
        );
        assert_eq!(owner(serde_json::json!({"a": "b"})), None);
    }
}
