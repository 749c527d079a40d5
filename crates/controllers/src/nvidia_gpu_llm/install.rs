//! `action: install` of a resource that has its `llmName`.
//!
//! In: the resource. Out: its objects as asked for, its model in memory, its prompts sent once, and a status. The order of what
//! is stored is the point: the finalizer before the first object, the intent to send a prompt before the prompt, an answer
//! before the status that tells of it. A process that ends between any two of them is followed by one that goes on from there.

use std::{sync::Arc, time::Duration};

use api::infra_example_com::v1::NvidiaGpuLlm;
use diagnosis::{
    Explanation, Input, explain,
    facts::{PodFacts, PodPhase},
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use reconcile::{ApplyError, Failure, ObjectKey, Outcome, finalizer};
use serving::plan::ServingPlan;

use super::{
    converse::{prompts, subject_of},
    make::{Made, is_finished},
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
    serving_kind::{Planned, observe::gpu_need},
};

/// After this time a Pod of which the scheduler has said nothing is looked at again.
const SCHEDULER_PATIENCE: Duration = Duration::from_secs(31);
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
        let pod = self.pod_of(resource);
        let accepted = resource.accept(context, None);
        let made = match &accepted {
            Ok(plan) => {
                let done = self.ledger(key, resource, false).done;
                Some(self.make(resource, plan, pod.as_deref(), done, now).await)
            }
            Err(_) => None,
        };
        let replacing = made
            .as_ref()
            .is_some_and(|made| made.as_ref().is_ok_and(Made::replaces_pod));
        // What an older Pod says is nothing about what is asked for now.
        let current = accepted
            .as_ref()
            .is_ok_and(|plan| self.has_planned_pod(resource, plan));
        let subject = pod.as_deref().filter(|_| current && !replacing);
        let subject = subject.and_then(|pod| subject_of(pod, &resource.spec.model));
        let heard = self.hear(key, resource, subject.as_ref());
        let explanation = self.explanation(pod.as_ref(), accepted.as_ref().ok(), now);
        let loaded = explanation.serves && matches!(heard, Heard::Loaded { .. });
        let ledger = self.ledger(key, resource, loaded);
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
        if let Some(send) = &ledger.send {
            if !self.is_latest(key, resource).await? {
                return Ok(Outcome::RequeueAfter(RETRY));
            }
            let generation = resource.metadata.generation.unwrap_or_default();
            self.talks.intend(key, generation, send.index);
        }
        let verdict = Verdict::of_install(&install);
        let new = status::installing(resource, &install, &verdict, now);
        self.store(key, resource, &verdict, &new).await?;

        if let (Some(subject), true) = (&subject, loaded) {
            self.go_on(key, resource, subject, &ledger);
        }
        if let Some(Ok(made)) = &made {
            made.done.tell(context, resource);
        }
        let next = next(&install, made.as_ref(), subject.is_some());
        match made {
            Some(Err(ApplyError::Terminating { .. })) => Ok(Outcome::RequeueAfter(RETRY)),
            Some(Err(error)) => after_error(&error),
            _ => Ok(next),
        }
    }

    /// The Pod of the resource's `llmName`, if it is the resource's.
    fn pod_of(&self, resource: &NvidiaGpuLlm) -> Option<Arc<PodFacts>> {
        let namespace = resource.namespace().unwrap_or_default();
        let pods = self
            .context
            .caches
            .pods_of(NVIDIA_GPU_LLM_LABEL, &namespace, &resource.name_any());
        let child = self
            .context
            .caches
            .child("Pod", &namespace, &resource.spec.llm_name);
        let owner = child.as_ref().and_then(|child| child.owner.as_ref());
        // A Pod that a namesake of this resource left behind is not its own.
        let foreign = owner.is_some_and(|owner| Some(&*owner.uid) != resource.uid().as_deref());
        let mut named = pods
            .into_iter()
            .filter(|pod| *pod.name == *resource.spec.llm_name && !foreign);
        named.next()
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
    let Install { ledger, heard, .. } = install;
    let later = matches!(made, Some(Ok(made)) if made.step == Step::ReplaceLater);
    let ending = ledger.done && !install.keep_alive && !install.finished;
    let asking = !ledger.done && matches!(heard, Heard::Loaded { .. });
    if later || (listening && (ending || asking)) {
        Outcome::RequeueAfter(RETRY)
    } else if listening {
        Outcome::RequeueAfter(heard.patience())
    } else if install.explanation.reason == diagnosis::Reason::Starting {
        Outcome::RequeueAfter(SCHEDULER_PATIENCE)
    } else {
        Outcome::Done
    }
}
