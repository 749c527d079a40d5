//! What an install makes: its objects as asked for, and its Pod as [`run`](super::run) says.
//!
//! In: a plan, the Pod as it is, how far the prompts are. Out: what was applied, and whether the Pod that is there is the one that
//! is asked for.

use std::{collections::HashMap, sync::Arc};

use api::infra_example_com::v1::NvidiaGpuLlm;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use parking_lot::Mutex;
use reconcile::{ApplyError, DesiredObject, ObjectKey, cache::ChildHead};
use serving::plan::ServingPlan;

use super::{
    converse::{answers_name, prompts},
    reconcile::NvidiaGpuLlmReconciler,
    run::{Progress, Run, Step, step},
};
use crate::{
    apply::{Done, apply},
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
pub(super) struct Losses(Mutex<HashMap<ObjectKey, u32>>);

impl Losses {
    fn of(&self, key: &ObjectKey) -> u32 {
        self.0.lock().get(key).copied().unwrap_or_default()
    }

    fn one_more(&self, key: &ObjectKey) {
        let mut losses = self.0.lock();
        let count = losses.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
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
        now: Timestamp,
    ) -> Result<Made, ApplyError> {
        let applier = &self.context.applier;
        let llm_name = resource.spec.llm_name.as_str();
        let (pod, current) = (self.pod_of(resource), self.has(resource, wish));
        let run = run(resource, self.ledger(key, resource, false).done);
        let step = step(pod.as_deref(), run, current, self.losses.of(key), now);
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
        let mut done = apply(applier, &uid, objects, &kept).await?;
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
