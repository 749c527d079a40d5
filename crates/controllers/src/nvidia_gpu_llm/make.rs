//! What an install makes: its objects as asked for, and its Pod as [`run`](super::run) says.
//!
//! In: a plan, the Pod as it is, how far the prompts are. Out: what was applied, and whether the Pod that is there is the one that
//! is asked for.

use std::{collections::HashMap, sync::Arc, time::Instant};

use api::infra_example_com::v1::NvidiaGpuLlm;
use diagnosis::facts::{PodFacts, PodPhase};
use kube::ResourceExt;
use parking_lot::Mutex;
use reconcile::{ApplyError, DesiredObject, ObjectKey, cache::ChildHead};
use serving::plan::ServingPlan;

use super::{
    converse::{answers_name, prompts},
    reconcile::NvidiaGpuLlmReconciler,
    run::{Progress, Run, Step, breath, step},
};
use crate::{
    apply::{CLAIM, Done, apply},
    serving_kind::desired::{Present, desired},
};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wish {
    /// The objects in the order in which they are applied; the Pod is the last.
    objects: Vec<DesiredObject>,
}

impl Wish {
    pub(super) fn of(plan: &ServingPlan) -> Result<Self, ApplyError> {
        desired(plan, &Present::default()).map(|objects| Self { objects })
    }

    /// Whether the Pod, as it is stored, is the one that is asked for.
    fn is_met_by(&self, pod: Option<&ChildHead>) -> bool {
        let made_for = pod.and_then(|pod| pod.applied.as_deref());
        made_for.is_some() && made_for == self.objects.last().map(DesiredObject::hash)
    }
}

/// What was done.
#[derive(Debug)]
pub(super) struct Made {
    /// What became of the Pod.
    pub step: Step,
    /// What was done.
    pub done: Done,
}

impl Made {
    /// The Pod that was there is on its way out, or about to be.
    pub(super) fn replaces_pod(&self) -> bool {
        let replaced = self.done.replaced.iter().any(|name| name.starts_with("Pod "));
        replaced || matches!(self.step, Step::Wait | Step::Replace | Step::ReplaceLater)
    }
}

/// How often Pods of a resource were lost in a row, as far as this process has seen it.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<HashMap<ObjectKey, Loss>>);

#[derive(Debug, Default)]
struct Loss {
    /// Pods that were made anew.
    before: u32,
    /// The Pod that has ended, and since when that is known.
    ended: Option<(Box<str>, Instant)>,
}

impl Losses {
    /// Whether a Pod that has ended has been left for as long as it should before it is made anew.
    fn rested(&self, key: &ObjectKey, pod: &PodFacts) -> bool {
        if !matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed) {
            return false;
        }
        let mut losses = self.0.lock();
        let loss = losses.entry(key.clone()).or_default();
        if loss.ended.as_ref().is_none_or(|(uid, _)| *uid != pod.uid) {
            loss.ended = Some((pod.uid.clone(), Instant::now()));
        }
        let since = loss.ended.as_ref().map(|(_, since)| since.elapsed());
        since.is_some_and(|since| since >= breath(loss.before))
    }

    fn one_more(&self, key: &ObjectKey) {
        let mut losses = self.0.lock();
        let loss = losses.entry(key.clone()).or_default();
        loss.before = loss.before.saturating_add(1);
    }

    /// It serves, or it is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

impl NvidiaGpuLlmReconciler {
    /// Makes what is asked for.
    pub(super) async fn make(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
        wish: &Wish,
    ) -> Result<Made, ApplyError> {
        let applier = &self.context.applier;
        let llm_name = resource.spec.llm_name.as_str();
        let (pod, current) = (self.pod_of(resource), self.has(resource, wish));
        let run = run(resource, self.ledger(key, resource, false).done);
        let rested = pod.as_deref().is_some_and(|pod| self.losses.rested(key, pod));
        let step = step(pod.as_deref(), run, current, rested);
        let mut objects = wish.objects.as_slice();
        if step != Step::Apply
            && let Some((_, others)) = objects.split_last()
        {
            objects = others;
        }
        let mut replaced = None;
        if step == Step::Replace && applier.remove("Pod", &key.namespace, llm_name).await? {
            self.losses.one_more(key);
            replaced = Some(format!("Pod {llm_name}"));
        }
        let answers = answers_name(llm_name);
        let mut kept = vec![("Pod", llm_name)];
        if !prompts(resource).is_empty() {
            kept.push(("ConfigMap", answers.as_str()));
        }
        let uid = resource.uid().unwrap_or_default();
        let mut done = match apply(applier, &uid, objects, &kept).await {
            // Kubernetes keeps a claim that is being deleted as long as a Pod uses it, so it would go on for ever.
            Err(error @ ApplyError::Terminating { .. }) if error.is_about(CLAIM) => {
                applier.remove("Pod", &key.namespace, llm_name).await?;
                return Err(error);
            }
            outcome => outcome?,
        };
        done.ended.extend(replaced);
        Ok(Made { step, done })
    }

    /// Whether the Pod that is there is the one that is asked for.
    pub(super) fn has(&self, resource: &NvidiaGpuLlm, wish: &Wish) -> bool {
        wish.is_met_by(self.own_pod(resource).as_deref())
    }

    /// The Pod of the resource's `llmName` as it is stored, if it is the resource's.
    pub(super) fn own_pod(&self, resource: &NvidiaGpuLlm) -> Option<Arc<ChildHead>> {
        let namespace = resource.namespace().unwrap_or_default();
        let caches = &self.context.caches;
        let pod = caches.child("Pod", &namespace, &resource.spec.llm_name)?;
        let owner = pod.owner.as_ref().map(|owner| &*owner.uid);
        (owner.is_some() && owner == resource.uid().as_deref()).then_some(pod)
    }
}

fn run(resource: &NvidiaGpuLlm, done: bool) -> Run {
    if resource.spec.keep_alive {
        return Run::Serves;
    }
    Run::Ends(if is_finished(resource) {
        Progress::Finished
    } else if done {
        Progress::Done
    } else {
        Progress::Open
    })
}

/// The run of this generation is over, and that is stored.
pub(super) fn is_finished(resource: &NvidiaGpuLlm) -> bool {
    let finished = resource
        .status
        .as_ref()
        .and_then(|status| status.finished_generation);
    !resource.spec.keep_alive && finished.is_some() && finished == resource.metadata.generation
}
