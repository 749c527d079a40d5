//! Everything that the controllers watch, and whom a change wakes.
//!
//! In: a set of watches. Out: one cache per resource, reduced to what somebody asks for. Lookups cost no request.

use std::{sync::Arc, time::Duration};

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use diagnosis::{
    Surroundings,
    facts::{ClaimFacts, EventFacts, NodeFacts, PodFacts, WorkloadFacts},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Event, Node, PersistentVolumeClaim, Pod, Service},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
    storage::v1::StorageClass,
};
use reconcile::{
    CacheSpec, Child, MANAGED_BY_SELECTOR, ObjectKey, RawObject, WatchCache, Watches,
    cache::{ChildView, WatchState},
};

use crate::{
    kinds::{LLM_DEPLOYMENT, LLM_MODEL},
    scaler::Scaler,
    triggers, workload,
};

/// A burst of Pod changes costs one reconcile; short beside the two seconds in which a status must tell the truth.
const POD_BURST: Duration = Duration::from_millis(150);

/// Pods that others made, while they can hold devices.
const OTHERS: &str = "app.kubernetes.io/managed-by!=llm-operator";
const ON_A_NODE: &str = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";
/// Who else takes GPUs is a number in a sentence; it may be late, and others' Pods may change by the thousand.
const OTHERS_BURST: Duration = Duration::from_secs(1);

/// The caches. Cheap to share.
pub struct Caches {
    /// What is deployed.
    pub deployments: Arc<WatchCache<LLMDeployment>>,
    /// Models.
    pub models: Arc<WatchCache<LLMModel>>,
    /// The Deployments we made.
    pub workloads: Arc<WatchCache<Child<WorkloadFacts>>>,
    services: Arc<WatchCache<Child<()>>>,
    network_policies: Arc<WatchCache<Child<()>>>,
    budgets: Arc<WatchCache<Child<()>>>,
    own_claims: Arc<WatchCache<Child<()>>>,
    ingresses: Arc<WatchCache<Child<()>>>,
    config_maps: Arc<WatchCache<Child<()>>>,
    /// All claims, ours or not.
    pub claims: Arc<WatchCache<ClaimFacts>>,
    /// Pods of what we made.
    pub pods: Arc<WatchCache<PodFacts>>,
    scalers: Arc<WatchCache<Scaler>>,
    /// Pods of others: nothing is kept of those without devices.
    other_pods: Arc<WatchCache<Option<Arc<PodFacts>>>>,
    nodes: Arc<WatchCache<NodeFacts>>,
    storage_classes: Arc<WatchCache<()>>,
    pod_events: Arc<WatchCache<EventFacts>>,
    claim_events: Arc<WatchCache<EventFacts>>,
}

impl Caches {
    /// Starts every watch.
    pub fn start(watches: &mut Watches) -> Self {
        let deployments = watches.start(
            CacheSpec::typed::<LLMDeployment>(|object| object)
                .index(triggers::deployment_keys)
                .on_change(triggers::deployment_changed),
        );
        let users = deployments.clone();
        let models = watches.start(
            CacheSpec::typed::<LLMModel>(|object| object)
                .index(triggers::claim_keys)
                .on_change(move |change| triggers::model_changed(change, &users)),
        );
        let waiting = deployments.clone();
        let pods = watches.start(
            CacheSpec::typed::<Pod>(|pod| PodFacts::from(&pod))
                .labels(MANAGED_BY_SELECTOR)
                .index(triggers::pod_keys)
                .coalesce(POD_BURST)
                .on_change(move |change| triggers::pod_changed(change, &waiting)),
        );
        let (claim_models, claim_users) = (models.clone(), deployments.clone());
        let (without_gpus, without_node, without_class) =
            (deployments.clone(), deployments.clone(), deployments.clone());
        Self {
            workloads: watches.start(
                CacheSpec::children::<Deployment>(workload::facts)
                    .coalesce(POD_BURST)
                    .on_change(triggers::child_changed),
            ),
            services: watches.start(plain_child::<Service>()),
            network_policies: watches.start(plain_child::<NetworkPolicy>()),
            budgets: watches.start(plain_child::<PodDisruptionBudget>()),
            own_claims: watches.start(plain_child::<PersistentVolumeClaim>()),
            ingresses: watches.start(plain_child::<Ingress>()),
            config_maps: watches.start(plain_child::<ConfigMap>()),
            claims: watches.start(
                CacheSpec::typed::<PersistentVolumeClaim>(|claim| ClaimFacts::from(&claim))
                    .coalesce(POD_BURST)
                    .on_change(move |change| triggers::claim_changed(change, &claim_models, &claim_users)),
            ),
            scalers: watches.start(
                CacheSpec::typed::<HorizontalPodAutoscaler>(|autoscaler| Scaler::from(&autoscaler))
                    .index(triggers::scaler_keys)
                    .on_change(triggers::scaler_changed),
            ),
            nodes: watches.start(
                CacheSpec::typed::<Node>(|node| NodeFacts::from(&node))
                    .cluster_scoped()
                    .optional()
                    .coalesce(POD_BURST)
                    .on_change(move |change| triggers::node_changed(change, &without_node)),
            ),
            other_pods: watches.start(
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
                    .on_change(move |change| triggers::holder_changed(change, &without_gpus)),
            ),
            storage_classes: watches.start(
                CacheSpec::raw::<StorageClass>(|_| Ok(()))
                    .cluster_scoped()
                    .optional()
                    .on_change(move |change| triggers::class_changed(change, &without_class)),
            ),
            pod_events: watches.start(warnings("Pod", pods.clone())),
            claim_events: watches.start(warnings("PersistentVolumeClaim", pods.clone())),
            pods,
            models,
            deployments,
        }
    }

    /// The caches of children, for apply and prune.
    pub fn children(&self) -> Vec<Arc<dyn ChildView>> {
        vec![
            self.workloads.clone(),
            self.services.clone(),
            self.network_policies.clone(),
            self.budgets.clone(),
            self.own_claims.clone(),
            self.ingresses.clone(),
            self.config_maps.clone(),
        ]
    }

    /// The Pods of the deployment `namespace`/`name`.
    pub fn pods_of(&self, namespace: &str, name: &str) -> Vec<Arc<PodFacts>> {
        self.pods.indexed(&triggers::owner_key(namespace, name))
    }

    /// What sets the replicas of the Deployment `namespace`/`name`, if it is not us.
    pub fn scaler_of(&self, namespace: &str, name: &str) -> Option<Arc<Scaler>> {
        let targeting = self.scalers.indexed(&triggers::scaled_key(namespace, name));
        targeting.into_iter().min_by(|a, b| a.name.cmp(&b.name))
    }

    /// Every resource that somebody reconciles: what a resync looks at.
    pub fn roots(&self) -> Vec<ObjectKey> {
        let deployments = self.deployments.names().into_iter();
        let models = self.models.names().into_iter();
        deployments
            .map(|(namespace, name)| ObjectKey::new(LLM_DEPLOYMENT, namespace, name))
            .chain(models.map(|(namespace, name)| ObjectKey::new(LLM_MODEL, namespace, name)))
            .collect()
    }
}

fn plain_child<K>() -> CacheSpec<Child<()>>
where
    K: kube::Resource<DynamicType = ()>,
{
    CacheSpec::children::<K>(|_: &RawObject| Ok(())).on_change(triggers::child_changed)
}

/// Warning events about one kind of object; they tell what conditions do not: a probe's words, a volume that is missing.
fn warnings(kind: &str, pods: Arc<WatchCache<PodFacts>>) -> CacheSpec<EventFacts> {
    CacheSpec::typed::<Event>(|event| EventFacts::from(&event))
        .fields(&format!("type=Warning,involvedObject.kind={kind}"))
        .optional()
        .coalesce(POD_BURST)
        .index(|event| vec![event.involved_uid.to_string()])
        .on_change(move |change| triggers::event_changed(change, &pods))
}

impl Surroundings for Caches {
    fn nodes(&self) -> Vec<Arc<NodeFacts>> {
        self.nodes.list(None)
    }

    fn node(&self, name: &str) -> Option<Arc<NodeFacts>> {
        self.nodes.get("", name)
    }

    fn gpu_pods(&self) -> Vec<Arc<PodFacts>> {
        let others = self.other_pods.indexed(triggers::HOLDS_DEVICES);
        let mut pods = self.pods.indexed(triggers::HOLDS_DEVICES);
        pods.extend(others.iter().filter_map(|pod| (**pod).clone()));
        pods
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
                WatchState::Starting | WatchState::Forbidden(_) | WatchState::NotServed
            )
        };
        let known = !self.storage_classes.state().iter().any(unknown);
        known.then(|| {
            let names = self.storage_classes.names().into_iter();
            names.map(|(_, name)| (*name).into()).collect()
        })
    }
}
