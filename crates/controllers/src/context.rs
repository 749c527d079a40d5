//! What every reconciler shares.
//!
//! In: caches and writers, made once. Out: nothing by itself.

use std::{sync::Arc, time::Duration};

use api::{llm_example_com::v1alpha1::LLMModel, premlabs_io::v1alpha1::AIModelMap, shared::State};
use diagnosis::facts::ClaimFacts;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};
use reconcile::{
    Applier, ApplyError, EventKind, EventRecorder, Failure, Metrics, NewEvent, ObjectKey, Outcome,
    StatusTarget, StatusWriter, WatchCache, WorkQueue, cache::WriteSink, status::StatusWritten,
};
use serde::Serialize;
use serving::{catalogue::Catalogue, sizing::NodeGpus};

use crate::{
    caches::{Caches, gpu_nodes},
    catalogued::token::Token,
    lookup::{Absent, Lookup, look_up},
    serving_kind::promised::Promises,
};

/// What is told beside a status.
#[derive(Debug)]
pub struct News {
    /// The one word of state.
    pub state: State,
    /// An Event: kind, reason and sentence.
    pub event: Option<(EventKind, String, String)>,
}

impl News {
    /// An Event for a new state, or for a new cause of the same trouble. States on the way to Ready are told by the status alone.
    pub fn of(
        (state_before, reason_before): (Option<State>, Option<&str>),
        (state, reason): (State, &str),
        sentence: impl FnOnce() -> String,
    ) -> Self {
        let same_state = state_before == Some(state);
        let kind = match state {
            State::Progressing | State::Loading | State::Terminating => None,
            State::Ready | State::Stopped => (!same_state).then_some(EventKind::Normal),
            State::Blocked | State::Invalid => {
                let same = same_state && reason_before == Some(reason);
                (!same).then_some(EventKind::Warning)
            }
        };
        Self {
            state,
            event: kind.map(|kind| (kind, reason.to_owned(), sentence())),
        }
    }
}

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
    /// What keeps promises of latency.
    pub promises: Promises,
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

    /// Stores a status if it differs, counts the resource by its state, and tells `news` once it is stored.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn report<K, S>(
        &self,
        key: &ObjectKey,
        (object, target): (&K, &StatusTarget),
        (stored, new): (Option<&S>, &S),
        sink: &dyn WriteSink,
        news: News,
    ) -> Result<StatusWritten, Failure>
    where
        K: Resource<DynamicType = ()>,
        S: Serialize + PartialEq + Sync,
    {
        let written = self.status.write(target, stored, new, sink).await;
        let written = written.map_err(|error| failure(&error))?;
        if written != StatusWritten::Gone {
            self.metrics.set_state(key, news.state.as_str());
            if let Some((kind, reason, note)) = news.event {
                self.tell(object, kind, reason, "Reconcile", note);
            }
        }
        Ok(written)
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

    fn catalogue(&self) -> Arc<Catalogue> {
        self.caches.catalogue.get()
    }

    fn serves(&self, owner: &str, namespace: &str, name: &str) -> bool {
        let pods = self.caches.pods_of(owner, namespace, name);
        pods.iter().any(|pod| pod.serves())
    }

    fn token(&self, namespace: &str) -> Token {
        self.caches.tokens.of(namespace)
    }

    fn gpu_nodes(&self) -> Option<Vec<NodeGpus>> {
        gpu_nodes(&self.caches)
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
