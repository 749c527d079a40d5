//! The objects that we made, by kind: what apply and prune look at.

use std::sync::Arc;

use diagnosis::facts::WorkloadFacts;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use reconcile::{
    CacheSpec, Child, MANAGED_BY_SELECTOR, RawObject, WatchCache, Watches,
    cache::{ChildHead, ChildView},
};
use serving::labels;

use super::{
    pods,
    roots::{Owners, ServingRoots},
};
use crate::{kinds::NVIDIA_GPU_LLM_LABEL, triggers, workload};

/// See the module.
pub(super) struct Children {
    /// The Deployments, with what they do.
    pub(super) workloads: Arc<WatchCache<Child<WorkloadFacts>>>,
    plain: Vec<Arc<dyn ChildView>>,
}

impl Children {
    pub(super) fn start(watches: &mut Watches, owners: &Owners, roots: &ServingRoots) -> Self {
        let of_workloads = (owners.clone(), roots.clone());
        Self {
            workloads: watches.start(
                CacheSpec::children::<Deployment>(workload::facts)
                    .coalesce(pods::BURST)
                    .on_change(move |change| {
                        triggers::child_changed(change, &of_workloads.0, &of_workloads.1)
                    }),
            ),
            plain: vec![
                watches.start(plain::<Service>(owners, roots)),
                watches.start(plain::<NetworkPolicy>(owners, roots)),
                watches.start(plain::<PodDisruptionBudget>(owners, roots)),
                watches.start(plain::<PersistentVolumeClaim>(owners, roots)),
                watches.start(plain::<Ingress>(owners, roots)),
                watches.start(plain::<ConfigMap>(owners, roots)),
                watches.start(plain::<Pod>(owners, roots).labels(&applied_pods())),
            ],
        }
    }

    /// One child of a kind that is not watched for what it does.
    pub(super) fn plain(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<ChildHead>> {
        let view = self.plain.iter().find(|view| view.kind() == kind)?;
        view.child(namespace, name)
    }

    /// All of them.
    pub(super) fn views(&self) -> Vec<Arc<dyn ChildView>> {
        let workloads: Arc<dyn ChildView> = self.workloads.clone();
        [workloads]
            .into_iter()
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
    let (owners, roots) = (owners.clone(), roots.clone());
    CacheSpec::children::<K>(|_: &RawObject| Ok(()))
        .on_change(move |change| triggers::child_changed(change, &owners, &roots))
}
