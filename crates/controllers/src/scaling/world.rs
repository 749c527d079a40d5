//! What the loop may ask about the cluster, and the operator's caches as its answer.
//!
//! In: a subject. Out: its Pods, and what room there is for more. It must not fetch anything.

use std::{sync::Arc, time::Duration};

use diagnosis::{Surroundings as _, facts::PodFacts};

use super::{Subject, room};
use crate::{context::Context, serving_kind::observe::told};

/// What room there is for a subject's replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Replicas that its workload is told to have.
    pub asked: Option<u32>,
    /// Replicas for which GPUs exist that others do not hold, its own included; `None`: not known, or none are needed.
    pub gpus: Option<u32>,
    /// Replicas that the namespace's quota admits, and the API server's words; `None`: not known to be too few.
    pub quota: Option<(u32, String)>,
}

/// See the module.
pub trait World: Send + Sync + 'static {
    /// The subject's Pods.
    fn pods(&self, subject: &Subject) -> Vec<Arc<PodFacts>>;

    /// Room for the subject, which has these Pods.
    fn room(&self, subject: &Subject, pods: &[Arc<PodFacts>]) -> Room;
}

/// A quota that was exceeded counts for so long after the last refusal; then more is tried again.
pub(crate) const QUOTA_MEMORY: Duration = Duration::from_mins(5);

impl World for Context {
    fn pods(&self, subject: &Subject) -> Vec<Arc<PodFacts>> {
        let key = &subject.key;
        self.caches.pods_of(subject.owner, &key.namespace, &key.name)
    }

    fn room(&self, subject: &Subject, pods: &[Arc<PodFacts>]) -> Room {
        let namespace = &subject.key.namespace;
        let workload = self
            .caches
            .workload(subject.made_by, namespace, &subject.workload);
        let told = workload.as_ref().map(|child| told(&self.caches, child, pods));
        let facts = told.as_deref();
        let gpus = subject.need.as_ref().and_then(|need| {
            let nodes = self.caches.nodes();
            room::gpus(need, &subject.tolerated, &nodes, &self.caches.gpu_pods(), pods)
        });
        Room {
            asked: facts.and_then(|facts| u32::try_from(facts.desired).ok()),
            gpus,
            quota: facts.and_then(|facts| room::quota(facts, pods)),
        }
    }
}

impl<W: World> World for Arc<W> {
    fn pods(&self, subject: &Subject) -> Vec<Arc<PodFacts>> {
        (**self).pods(subject)
    }

    fn room(&self, subject: &Subject, pods: &[Arc<PodFacts>]) -> Room {
        (**self).room(subject, pods)
    }
}
