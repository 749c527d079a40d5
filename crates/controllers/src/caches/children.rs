//! The objects that we made, by kind: what apply and prune look at.

use std::sync::Arc;

use diagnosis::facts::WorkloadFacts;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use reconcile::{
    CacheSpec, Child, MANAGED_BY_SELECTOR, RawObject, WatchCache,
    cache::{ChildHead, ChildView, Part},
};
use serving::labels;

use super::{
    pods,
    roots::{Owners, ServingRoots},
};
use crate::{
    kinds::NVIDIA_GPU_LLM_LABEL,
    triggers,
    workload::{self, WorkloadKind},
};

/// See the module.
pub(super) struct Children {
    deployments: Arc<WatchCache<Child<WorkloadFacts>>>,
    stateful_sets: Arc<WatchCache<Child<WorkloadFacts>>>,
    plain: Vec<Arc<dyn ChildView>>,
}

impl Children {
    pub(super) fn start(watches: &mut Part<'_>, owners: &Owners, roots: &ServingRoots) -> Self {
        let facts = workload::deployment_facts;
        let deployments = CacheSpec::children::<Deployment>(facts).coalesce(pods::BURST);
        let facts = workload::stateful_set_facts;
        let stateful_sets = CacheSpec::children::<StatefulSet>(facts).coalesce(pods::BURST);
        Self {
            deployments: watches.start(waking(deployments, owners, roots)),
            stateful_sets: watches.start(waking(stateful_sets, owners, roots)),
            plain: vec![
                watches.start(plain::<Service>(owners, roots)),
                watches.start(plain::<NetworkPolicy>(owners, roots)),
                watches.start(plain::<PodDisruptionBudget>(owners, roots)),
                watches.start(plain::<PersistentVolumeClaim>(owners, roots)),
                watches.start(plain::<Ingress>(owners, roots)),
                watches.start(plain::<ConfigMap>(owners, roots)),
                watches.start(plain::<HorizontalPodAutoscaler>(owners, roots)),
                watches.start(plain::<Pod>(owners, roots).labels(&applied_pods())),
            ],
        }
    }

    /// What makes Pods, with what it does.
    pub(super) fn workload(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Child<WorkloadFacts>>> {
        let cache = match kind {
            WorkloadKind::Deployment => &self.deployments,
            WorkloadKind::StatefulSet => &self.stateful_sets,
        };
        cache.get(namespace, name)
    }

    /// One child of a kind that is not watched for what it does.
    pub(super) fn plain(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<ChildHead>> {
        let view = self.plain.iter().find(|view| view.kind() == kind)?;
        view.child(namespace, name)
    }

    /// All of them.
    pub(super) fn views(&self) -> Vec<Arc<dyn ChildView>> {
        let workloads = [self.deployments.clone(), self.stateful_sets.clone()];
        workloads
            .into_iter()
            .map(|cache| -> Arc<dyn ChildView> { cache })
            .chain(self.plain.iter().cloned())
            .collect()
    }
}

/// Selects the Pods that we apply; all others are made by Kubernetes from what we apply.
fn applied_pods() -> String {
    format!("{MANAGED_BY_SELECTOR},{}={NVIDIA_GPU_LLM_LABEL}", labels::KIND)
}

fn plain<K>(owners: &Owners, roots: &ServingRoots) -> CacheSpec<Child<()>>
where
    K: kube::Resource<DynamicType = ()>,
{
    waking(CacheSpec::children::<K>(|_: &RawObject| Ok(())), owners, roots)
}

fn waking<F>(spec: CacheSpec<Child<F>>, owners: &Owners, roots: &ServingRoots) -> CacheSpec<Child<F>>
where
    F: PartialEq + Send + Sync + 'static,
{
    let (owners, roots) = (owners.clone(), roots.clone());
    spec.on_change(move |change| triggers::child_changed(change, &owners, &roots))
}
