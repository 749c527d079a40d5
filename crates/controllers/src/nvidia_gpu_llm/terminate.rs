//! The end of a resource: it goes when its objects are gone, and never hangs for long.
//!
//! In: a resource that is being deleted. Out: its objects deleted, its finalizer taken off. What is stuck is left to Kubernetes'
//! garbage collector, and an Event names it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use api::infra_example_com::v1::NvidiaGpuLlm;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use parking_lot::Mutex;
use reconcile::{EventKind, Failure, ObjectKey, Outcome, PrunePolicy, finalizer};

use super::{reconcile::NvidiaGpuLlmReconciler, status, verdict::Verdict};
use crate::{apply::CLAIM, context::failure};

pub(super) use crate::finalizers::NVIDIA_GPU_LLM as FINALIZER;

/// Objects that do not go hold a deletion up for this long: more than a Pod's grace period is used for.
const PATIENCE: Duration = Duration::from_secs(15);
/// So often is it looked at meanwhile, whether or not an object says something.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Since when this process waits for the objects of resources that are being deleted.
#[derive(Debug, Default)]
pub(super) struct Leaving(Mutex<HashMap<ObjectKey, Instant>>);

impl Leaving {
    fn waited(&self, key: &ObjectKey) -> Duration {
        self.0
            .lock()
            .entry(key.clone())
            .or_insert_with(Instant::now)
            .elapsed()
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

impl NvidiaGpuLlmReconciler {
    pub(super) async fn terminate(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
    ) -> Result<Outcome, Failure> {
        self.talks.silence(key);
        if !finalizer::has(resource, FINALIZER) {
            return Ok(Outcome::Done);
        }
        let context = &*self.context;
        let pruned = self.remove_own(resource, Claims::All).await;
        let left = self.left_of(resource, Claims::All);
        if !left.is_empty() {
            let verdict = Verdict::going(&left);
            let new = status::without_pod(resource, &verdict, Timestamp::now());
            if let Err(error) = self.store(key, resource, &verdict, &new).await {
                // Whether it can be told or not, it must not hang.
                tracing::warn!(object = %key, "what a deletion waits for could not be told: {error}");
            }
            if self.leaving.waited(key) < PATIENCE {
                return Ok(Outcome::RequeueAfter(LOOK));
            }
            let why = pruned
                .err()
                .map(|failure| format!(": {failure}"))
                .unwrap_or_default();
            let note = format!(
                "{} did not go within {} seconds and is left to Kubernetes' garbage collector{why}",
                left.join(", "),
                PATIENCE.as_secs()
            );
            context.tell(resource, EventKind::Warning, "ObjectsLeft", "Delete", note);
        }
        let sink = &*context.caches.gpu_llms;
        let removed = self.finalizers.remove(resource, FINALIZER, sink).await;
        removed.map_err(|error| failure(&error))?;
        self.leaving.forget(key);
        Ok(Outcome::Done)
    }

    /// Deletes what the resource owns.
    pub(super) async fn remove_own(
        &self,
        resource: &NvidiaGpuLlm,
        claims: Claims,
    ) -> Result<(), reconcile::ApplyError> {
        let uid = resource.uid().unwrap_or_default();
        let owned = self.context.applier.owned(&uid);
        let kept: Vec<(&str, &str)> = owned
            .iter()
            .filter(|(kind, child)| !claims.take(resource, kind, &child.name))
            .map(|(kind, child)| (kind.as_str(), &*child.name))
            .collect();
        self.context.applier.prune(&uid, &kept, PrunePolicy::All).await?;
        Ok(())
    }

    /// What of that is still there, as `Kind name`; Pods first.
    pub(super) fn left_of(&self, resource: &NvidiaGpuLlm, claims: Claims) -> Vec<String> {
        let uid = resource.uid().unwrap_or_default();
        let owned = self.context.applier.owned(&uid).into_iter();
        let mut left: Vec<String> = owned
            .filter(|(kind, child)| claims.take(resource, kind, &child.name))
            .map(|(kind, child)| format!("{kind} {}", child.name))
            .collect();
        left.sort_by_key(|name| (!name.starts_with("Pod "), name.clone()));
        left
    }
}

/// Which claims go with the other objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claims {
    /// All: the resource goes.
    All,
    /// The one of its `llmName`, which is what an `uninstall` is about; not those of former names.
    OfName,
    /// None: whoever has the name says nothing about its data.
    None,
}

impl Claims {
    fn take(self, resource: &NvidiaGpuLlm, kind: &str, name: &str) -> bool {
        match (self, kind) {
            (Self::OfName, CLAIM) => name == resource.spec.llm_name,
            // What was answered is data as well.
            (Self::None, CLAIM | "ConfigMap") => false,
            _ => true,
        }
    }
}
