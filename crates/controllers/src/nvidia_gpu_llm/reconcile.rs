//! One reconcile of an `NvidiaGpuLlm`: which of the three actions it is, and who has its `llmName`.
//!
//! In: a key. Out: what the action asks for, in the files beside this one, and a status after every outcome.

use std::{sync::Arc, time::Duration};

use api::infra_example_com::v1::{Action, NvidiaGpuLlm, NvidiaGpuLlmStatus};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt};
use reconcile::{
    Failure, ObjectKey, Outcome, Reconciler, StatusTarget, finalizer::FinalizerWriter, status::StatusWritten,
};

use super::{
    make::Losses,
    neighbours::Neighbours,
    standing::{Claimant, Standing, standing},
    status,
    talk::Talks,
    terminate::Leaving,
    verdict::Verdict,
};
use crate::{
    context::{Context, News},
    kinds::NVIDIA_GPU_LLM,
    serving_kind::ServingRoot,
};

/// Brings what the resources name to what they ask for.
pub struct NvidiaGpuLlmReconciler {
    pub(super) context: Arc<Context>,
    pub(super) client: Client,
    pub(super) finalizers: FinalizerWriter,
    pub(super) talks: Talks,
    pub(super) leaving: Leaving,
    pub(super) losses: Losses,
    neighbours: Neighbours,
}

impl NvidiaGpuLlmReconciler {
    /// A reconciler on shared caches.
    pub fn new(client: &Client, context: Arc<Context>) -> Self {
        Self {
            client: client.clone(),
            finalizers: FinalizerWriter::new(client.clone()),
            talks: Talks::new(context.queue.clone()),
            leaving: Leaving::default(),
            losses: Losses::default(),
            neighbours: Neighbours::default(),
            context,
        }
    }

    /// The resource as it is known now, our last write of it included.
    fn known(&self, key: &ObjectKey) -> Option<Arc<NvidiaGpuLlm>> {
        self.context.caches.gpu_llms.get(&key.namespace, &key.name)
    }

    /// The first word on a generation, before anything is done for it.
    async fn begin(&self, key: &ObjectKey, resource: &NvidiaGpuLlm) -> Result<(), Failure> {
        let generation = resource.metadata.generation.unwrap_or_default();
        let started = resource
            .status
            .as_ref()
            .and_then(|status| status.started_generation);
        if started == Some(generation) {
            return Ok(());
        }
        let verdict = Verdict::begun(generation);
        let new = status::begun(resource, Timestamp::now());
        self.store(key, resource, &verdict, &new).await
    }

    /// Stores a status; who reports on the same `llmName` looks again when it has changed.
    pub(super) async fn store(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
        verdict: &Verdict,
        new: &NvidiaGpuLlmStatus,
    ) -> Result<(), Failure> {
        let target = StatusTarget::of(resource);
        self.store_at(key, (resource, &target), verdict, new).await?;
        Ok(())
    }

    /// [`Self::store`] with a target of one's own. Returns whether the resource is there to have a status.
    pub(super) async fn store_at(
        &self,
        key: &ObjectKey,
        (resource, target): (&NvidiaGpuLlm, &StatusTarget),
        verdict: &Verdict,
        new: &NvidiaGpuLlmStatus,
    ) -> Result<bool, Failure> {
        let context = &*self.context;
        let before = (resource.state(), resource.reason());
        let news = News::of(before, (verdict.state, &verdict.reason), || {
            verdict.sentence.clone()
        });
        let statuses = (resource.status.as_ref(), new);
        let sink = &*context.caches.gpu_llms;
        let written = context
            .report(key, (resource, target), statuses, sink, news)
            .await?;
        if written == StatusWritten::Written && resource.spec.action == Action::Install {
            self.wake(key, &resource.spec.llm_name, |other| {
                other.spec.action != Action::Install
            });
        }
        Ok(written != StatusWritten::Gone)
    }

    /// Wakes other resources of an `llmName`.
    fn wake(&self, key: &ObjectKey, llm_name: &str, whom: impl Fn(&NvidiaGpuLlm) -> bool) {
        let named = self.context.caches.gpu_llms_named(&key.namespace, llm_name);
        let others = named
            .iter()
            .filter(|other| *other.name_any() != *key.name && whom(other));
        let keys: Vec<ObjectKey> = others
            .map(|other| ObjectKey::new(NVIDIA_GPU_LLM, &*key.namespace, other.name_any()))
            .collect();
        self.context.queue.add_all(keys, Duration::ZERO);
    }

    /// Who has the name.
    fn standing(&self, resource: &NvidiaGpuLlm) -> Standing {
        let namespace = resource.namespace().unwrap_or_default();
        let named = self
            .context
            .caches
            .gpu_llms_named(&namespace, &resource.spec.llm_name);
        let all: Vec<Claimant> = named.iter().map(|one| claimant(one)).collect();
        standing(&claimant(resource), &all)
    }
}

fn claimant(resource: &NvidiaGpuLlm) -> Claimant {
    Claimant {
        name: resource.name_any(),
        created: resource.creation_timestamp().map(|time| time.0),
        action: resource.spec.action,
        deleting: resource.metadata.deletion_timestamp.is_some(),
    }
}

impl Reconciler for NvidiaGpuLlmReconciler {
    fn kind(&self) -> &'static str {
        NVIDIA_GPU_LLM
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let Some(resource) = self.known(key) else {
            self.talks.forget(key);
            self.leaving.forget(key);
            self.losses.forget(key);
            for llm_name in self.neighbours.forget(key) {
                self.wake(key, &llm_name, |_| true);
            }
            let cache = &self.context.caches.gpu_llms;
            return self.context.gone_or_unreadable(cache, key);
        };
        for llm_name in self.neighbours.note(key, &resource) {
            self.wake(key, &llm_name, |_| true);
        }
        if resource.metadata.deletion_timestamp.is_some() {
            return self.terminate(key, &resource).await;
        }
        self.begin(key, &resource).await?;
        let resource = self.known(key).unwrap_or(resource);
        match self.standing(&resource) {
            Standing::Has => self.install(key, &resource).await,
            standing @ (Standing::HeldDown { .. } | Standing::Taken { .. }) => {
                self.make_way(key, &resource, &standing).await
            }
            Standing::Removes { held, superseded_by } => {
                self.uninstall(key, &resource, &held, superseded_by.as_deref())
                    .await
            }
            Standing::Reports { of } => self.look_at(key, &resource, of.as_deref()).await,
        }
    }
}
