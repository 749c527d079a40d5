//! Observe: what the Pods do, explained.
//!
//! In: the caches and, if there is one, the plan. Out: an [`Explanation`] and the number of Pods. It asks the API nothing.

use std::{borrow::Cow, sync::Arc};

use diagnosis::{
    Explanation, GpuMemory, GpuNeed, GpuProduct, Input, explain,
    facts::{ConditionFacts, PodFacts, WorkloadFacts},
};
use k8s_openapi::jiff::Timestamp;
use reconcile::Child;
use serving::{gpu::GpuRequest, plan::ServingPlan};

use super::ServingKind;
use crate::caches::Caches;

/// Replicas that Kubernetes makes of a Deployment of which nobody has said how many.
const DEFAULT_REPLICAS: i32 = 1;

/// What is seen of one resource.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Why it serves or does not.
    pub explanation: Explanation,
    /// Pods that exist and are not ending.
    pub pods: i32,
    /// The image of the workload as it is in the cluster.
    pub made: bool,
}

/// Looks at the workload and its Pods.
pub fn observe<K: ServingKind>(
    caches: &Caches,
    resource: &K,
    plan: Option<&ServingPlan>,
    now: Timestamp,
) -> Observation {
    let meta = resource.meta();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    let uid = meta.uid.as_deref().unwrap_or_default();
    let workload = caches
        .workload(K::WORKLOAD, namespace, name)
        .filter(|child| owned(child, uid));
    let pods = if workload.is_some() {
        caches.pods_of(K::POD_OWNER, namespace, name)
    } else {
        Vec::new()
    };
    let need = plan
        .and_then(|plan| plan.gpu.as_ref())
        .map(|gpu| gpu_need(gpu, K::GPU_COUNT_FIELD));
    let facts = workload.as_ref().map(|child| told(caches, child, &pods));
    let explanation = explain(&Input {
        workload: facts.as_deref(),
        desired: resource.replicas().unwrap_or(DEFAULT_REPLICAS),
        single: false,
        pods: &pods,
        need: need.as_ref(),
        around: caches,
        now: Some(now),
    });
    Observation {
        explanation,
        pods: count(&pods),
        made: workload.is_some(),
    }
}

/// The workload's facts. A StatefulSet has no condition for Pods that it cannot make: its Events tell, until one was made after all.
pub(crate) fn told<'a>(
    caches: &Caches,
    child: &'a Child<WorkloadFacts>,
    pods: &[Arc<PodFacts>],
) -> Cow<'a, WorkloadFacts> {
    let newest = pods.iter().filter_map(|pod| pod.created).max();
    let failure = caches.set_failure(&child.head.uid);
    let Some(failure) = failure.filter(|failure| failure.last_seen > newest) else {
        return Cow::Borrowed(&child.facts);
    };
    Cow::Owned(WorkloadFacts {
        replica_failure: Some(ConditionFacts {
            holds: true,
            reason: failure.reason.clone(),
            message: failure.message.clone(),
        }),
        ..child.facts.clone()
    })
}

/// Whether the workload was made for the resource of this uid.
pub(super) fn owned(child: &Arc<Child<WorkloadFacts>>, uid: &str) -> bool {
    child.head.owner.as_ref().is_some_and(|owner| &*owner.uid == uid)
}

fn count(pods: &[Arc<PodFacts>]) -> i32 {
    let living = pods.iter().filter(|pod| !pod.deleting).count();
    i32::try_from(living).unwrap_or(i32::MAX)
}

/// The plan's GPUs in the words of the diagnosis; `count_field`: where their number stands.
pub fn gpu_need(gpu: &GpuRequest, count_field: &str) -> GpuNeed {
    GpuNeed {
        resource: gpu.resource.as_str().into(),
        count: i64::from(gpu.count),
        product: gpu.product.as_deref().map(|product| GpuProduct {
            written: product.into(),
            labels: gpu.product_labels().into_iter().map(Into::into).collect(),
        }),
        memory: gpu.min_memory.map(|memory| GpuMemory {
            at_least_mib: gpu.least_label_mib().unwrap_or_default(),
            written: memory.to_string().into(),
        }),
        count_field: count_field.into(),
    }
}
