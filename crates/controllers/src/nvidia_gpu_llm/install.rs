//! `action: install` of a resource that has its `llmName`.
//!
//! In: the resource. Out: its objects as asked for, its model in memory, its prompts sent once, and a status. The order of what
//! is stored is the point: the finalizer before the first object, the intent to send a prompt before the prompt, an answer
//! before the status that tells of it. A process that ends between any two of them is followed by one that goes on from there.

use std::{sync::Arc, time::Duration};

use api::infra_example_com::v1::{NvidiaGpuLlm, PromptState};
use diagnosis::{
    Explanation, Input, explain,
    facts::{PodFacts, PodPhase},
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use reconcile::{ApplyError, Failure, ObjectKey, Outcome, StatusTarget, finalizer};
use serving::plan::ServingPlan;

use super::{
    converse::{prompts, subject_of},
    make::{Made, Wish, is_finished},
    reconcile::NvidiaGpuLlmReconciler,
    run::Step,
    status,
    talk::Heard,
    terminate::FINALIZER,
    verdict::{Install, Verdict},
};
use crate::{
    context::{after_error, failure},
    kinds::NVIDIA_GPU_LLM_LABEL,
    serving_kind::{Planned, observe::gpu_need, reconcile::SCHEDULER_PATIENCE},
};

/// A look at a server is due a moment before its reconcile.
const MOMENT: Duration = Duration::from_secs(1);
/// After this time something that had no effect yet is tried again.
const RETRY: Duration = Duration::from_secs(3);

impl NvidiaGpuLlmReconciler {
    pub(super) async fn install(&self, key: &ObjectKey, resource: &NvidiaGpuLlm) -> Result<Outcome, Failure> {
        let context = &*self.context;
        if !finalizer::has(resource, FINALIZER) {
            let added = self
                .finalizers
                .add(resource, FINALIZER, &*context.caches.gpu_llms)
                .await;
            added.map_err(|error| failure(&error))?;
        }
        let now = Timestamp::now();
        let accepted = resource.accept(context, None);
        let wish = accepted.as_ref().ok().map(Wish::of).transpose();
        let wish = wish.map_err(|error| failure(&error))?;
        let made = match &wish {
            Some(wish) => Some(self.make(key, resource, wish).await),
            None => None,
        };
        let replacing = made
            .as_ref()
            .is_some_and(|made| made.as_ref().is_ok_and(Made::replaces_pod));
        // What an older Pod says is nothing about what is asked for now.
        let current = wish.is_some_and(|wish| self.has(resource, &wish)) && !replacing;
        let pod = self.pod_of(resource);
        let subject = pod.as_deref().filter(|_| current);
        let subject = subject.and_then(|pod| subject_of(pod, &resource.spec.model));
        let heard = self.hear(key, resource, subject.as_ref());
        let explanation = self.explanation(pod.as_ref(), accepted.as_ref().ok(), now);
        let loaded = explanation.serves && matches!(heard, Heard::Loaded { .. });
        if loaded {
            self.losses.forget(key);
        }
        let ledger = self.ledger(key, resource, loaded);
        let unkept = ledger.unstored.is_some();
        let ledger = self.keep_answers(resource, ledger).await?;

        let kept = matches!(&made, Some(Ok(made)) if made.step == Step::Keep);
        let succeeded = pod.as_ref().is_some_and(|pod| pod.phase == PodPhase::Succeeded);
        let install = Install {
            llm_name: &resource.spec.llm_name,
            model: &resource.spec.model,
            keep_alive: resource.spec.keep_alive,
            accepted: accepted.as_ref(),
            applied: made.as_ref().map(|made| made.as_ref().map(|_| ())),
            pod: pod.as_deref(),
            explanation: &explanation,
            heard: &heard,
            prompts: prompts(resource).len(),
            ledger: &ledger,
            finished: is_finished(resource) || (kept && succeeded && ledger.done),
            replacing,
        };
        let unasked = subject.is_some() && explanation.serves && heard == Heard::Nothing;
        let told = status::told_of_server(resource).filter(|_| unasked);
        let (verdict, new) = told.unwrap_or_else(|| {
            let verdict = Verdict::of_install(&install);
            let new = status::installing(resource, &install, &verdict, now);
            (verdict, new)
        });
        let mut target = StatusTarget::of(resource);
        if let Some(send) = &ledger.send {
            let Some(version) = self.latest(key, resource).await? else {
                return Ok(Outcome::RequeueAfter(RETRY));
            };
            // Another process that took over meanwhile would have stored an intent of its own.
            target = target.at(Some(version));
            let generation = resource.metadata.generation.unwrap_or_default();
            self.talks.intend(key, generation, send.index);
        }
        if !self.store_at(key, (resource, &target), &verdict, &new).await? {
            return Ok(Outcome::Done);
        }
        self.talks
            .settle(key, new.prompts_generation.unwrap_or_default(), &new.prompts);

        if let (Some(subject), true) = (&subject, loaded) {
            self.go_on(key, resource, subject, &ledger);
        }
        if let Some(Ok(made)) = &made {
            made.done.tell(context, resource);
        }
        let next = if unkept {
            // The next prompt had to wait for the answer to be kept.
            Outcome::RequeueAfter(Duration::ZERO)
        } else {
            next(&install, made.as_ref(), subject.is_some())
        };
        match made {
            Some(Err(ApplyError::Terminating { .. })) => Ok(Outcome::RequeueAfter(RETRY)),
            // What only somebody else can mend is tried again at the pace of the conversation, which it must not hold up.
            Some(Err(error)) if !error.passes() && (unkept || subject.is_some()) => Ok(next),
            Some(Err(error)) => after_error(&error),
            _ => Ok(next),
        }
    }

    /// What the Pod of the resource's `llmName` does, if it is the resource's. Two watches tell of it: they must mean the same
    /// one.
    pub(super) fn pod_of(&self, resource: &NvidiaGpuLlm) -> Option<Arc<PodFacts>> {
        let stored = self.own_pod(resource)?;
        let namespace = resource.namespace().unwrap_or_default();
        let caches = &self.context.caches;
        let pods = caches.pods_of(NVIDIA_GPU_LLM_LABEL, &namespace, &resource.name_any());
        pods.into_iter().find(|pod| pod.uid == stored.uid)
    }

    fn explanation(
        &self,
        pod: Option<&Arc<PodFacts>>,
        plan: Option<&ServingPlan>,
        now: Timestamp,
    ) -> Explanation {
        let need = plan
            .and_then(|plan| plan.gpu.as_ref())
            .map(|gpu| gpu_need(gpu, NvidiaGpuLlm::GPU_COUNT_FIELD));
        explain(&Input {
            workload: None,
            desired: 1,
            single: true,
            pods: pod.map(std::slice::from_ref).unwrap_or_default(),
            need: need.as_ref(),
            around: &self.context.caches,
            now: Some(now),
        })
    }
}

/// When to look again, if nothing happens.
fn next(install: &Install<'_>, made: Option<&Result<Made, ApplyError>>, listening: bool) -> Outcome {
    let ledger = install.ledger;
    let later = matches!(made, Some(Ok(made)) if made.step == Step::ReplaceLater);
    let loaded = matches!(install.heard, Heard::Loaded { .. });
    let ending = loaded && ledger.done && !install.keep_alive && !install.finished;
    let mut records = ledger.records.iter();
    let open = records.rfind(|record| record.state == PromptState::Sending);
    // One that did not leave has a message; one that did wakes us when it ends.
    let unsent = match open {
        Some(record) => record.message.is_some(),
        None => !ledger.done && loaded,
    };
    if later || (listening && (ending || unsent)) {
        Outcome::RequeueAfter(RETRY)
    } else if listening {
        Outcome::RequeueAfter(install.heard.patience() + MOMENT)
    } else if install.explanation.reason == diagnosis::Reason::Starting {
        Outcome::RequeueAfter(SCHEDULER_PATIENCE)
    } else {
        Outcome::Done
    }
}
