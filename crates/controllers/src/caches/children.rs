//! The objects that we made, by kind: what apply and prune look at.

use std::sync::Arc;

use diagnosis::facts::WorkloadFacts;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, PersistentVolumeClaim, Service},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use reconcile::{CacheSpec, Child, RawObject, WatchCache, Watches, cache::ChildView};

use super::{pods, roots::Owners};
use crate::{triggers, workload};

/// See the module.
pub(super) struct Children {
    /// The Deployments, with what they do.
    pub(super) workloads: Arc<WatchCache<Child<WorkloadFacts>>>,
    plain: Vec<Arc<dyn ChildView>>,
}

impl Children {
    pub(super) fn start(watches: &mut Watches, owners: &Owners) -> Self {
        let of_workloads = owners.clone();
        Self {
            workloads: watches.start(
                CacheSpec::children::<Deployment>(workload::facts)
                    .coalesce(pods::BURST)
                    .on_change(move |change| triggers::child_changed(change, &of_workloads)),
            ),
            plain: vec![
                watches.start(plain::<Service>(owners)),
                watches.start(plain::<NetworkPolicy>(owners)),
                watches.start(plain::<PodDisruptionBudget>(owners)),
                watches.start(plain::<PersistentVolumeClaim>(owners)),
                watches.start(plain::<Ingress>(owners)),
                watches.start(plain::<ConfigMap>(owners)),
            ],
        }
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

fn plain<K>(owners: &Owners) -> CacheSpec<Child<()>>
where
    K: kube::Resource<DynamicType = ()>,
{
    let owners = owners.clone();
    CacheSpec::children::<K>(|_: &RawObject| Ok(()))
        .on_change(move |change| triggers::child_changed(change, &owners))
}
