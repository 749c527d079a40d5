//! What every reconciler shares.
//!
//! In: caches and writers, made once. Out: nothing by itself.

use std::{sync::Arc, time::Duration};

use api::{llm_example_com::v1alpha1::LLMModel, premlabs_io::v1alpha1::AIModelMap};
use diagnosis::facts::ClaimFacts;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};
use reconcile::{
    Applier, ApplyError, EventKind, EventRecorder, Failure, Metrics, NewEvent, ObjectKey, Outcome,
    StatusWriter, WatchCache, WorkQueue,
};

use crate::{
    caches::Caches,
    lookup::{Absent, Lookup, look_up},
};

/// Caches to read from and the only ways to write.
pub struct Context {
    /// Everything that is watched.
    pub caches: Caches,
    /// Applies and prunes children.
    pub applier: Applier,
    /// Writes statuses.
    pub status: StatusWriter,
    /// Writes Events.
    pub recorder: EventRecorder,
    /// Counts.
    pub metrics: Metrics,
    /// Where a reconcile of something else is asked for, when what one has found out concerns it.
    pub queue: WorkQueue,
    /// The namespace in which the operator runs.
    pub operator_namespace: String,
}

impl Context {
    /// Ends the reconcile of a resource of which `cache` has no value: it is gone, or it is stored in a form that this
    /// version does not understand. What was made for the latter is left as it is.
    ///
    /// # Errors
    /// The resource exists and cannot be read.
    pub fn gone_or_unreadable<K: Send + Sync>(
        &self,
        cache: &WatchCache<K>,
        key: &ObjectKey,
    ) -> Result<Outcome, Failure> {
        self.metrics.remove_state(key);
        match cache.unreadable(&key.namespace, &key.name) {
            None => Ok(Outcome::Done),
            Some(error) => Err(Failure::terminal(
                "Unreadable",
                format!(
                    "it cannot be read: {error}; install the definitions of this operator's version \
                     (`llm-operator crds`) and correct the resource"
                ),
            )),
        }
    }

    /// One Event about a resource.
    pub fn tell<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        event: EventKind,
        reason: impl Into<String>,
        action: &str,
        note: String,
    ) {
        self.recorder.record(NewEvent {
            kind: event,
            regarding: ObjectReference {
                api_version: Some(K::api_version(&()).into_owned()),
                kind: Some(K::kind(&()).into_owned()),
                name: Some(object.name_any()),
                namespace: object.namespace(),
                uid: object.uid(),
                ..ObjectReference::default()
            },
            reason: reason.into(),
            action: action.to_owned(),
            note,
        });
    }
}

impl Lookup for Context {
    fn model(&self, namespace: &str, name: &str) -> Result<Arc<LLMModel>, Absent> {
        look_up(&self.caches.models, namespace, name)
    }

    fn model_map(&self, namespace: &str, name: &str) -> Result<Arc<AIModelMap>, Absent> {
        look_up(&self.caches.model_maps, namespace, name)
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>> {
        self.caches.claims.get(namespace, name)
    }

    fn operator_namespace(&self) -> &str {
        &self.operator_namespace
    }
}

/// An error of the apply step or of a status write, as the work queue wants it.
pub fn failure(error: &ApplyError) -> Failure {
    Failure::from(error)
}

/// After this time an object that stands in the way is looked at again: a few requests.
const NAME_PATIENCE: Duration = Duration::from_secs(20);

/// How to go on after the apply step failed.
///
/// # Errors
/// The error itself, unless it is one that only looking again can end.
pub fn after_error(error: &ApplyError) -> Result<Outcome, Failure> {
    match error {
        // Nobody tells us when an object without our label goes: somebody else's, or another operator's that cannot be changed.
        ApplyError::NameTaken { .. } | ApplyError::Immutable { .. } => {
            Ok(Outcome::RequeueAfter(NAME_PATIENCE))
        }
        error => Err(failure(error)),
    }
}
