//! What an install makes: its objects as asked for, and its Pod as [`run`](super::run) says.
//!
//! In: a plan, the Pod as it is, how far the prompts are. Out: what was applied, and whether the Pod that is there is the one that
//! is asked for.

use api::infra_example_com::v1::NvidiaGpuLlm;
use diagnosis::facts::PodFacts;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use reconcile::{ApplyError, DesiredObject};
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

/// See the module.
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

impl NvidiaGpuLlmReconciler {
    /// Makes what the plan asks for; `done`: all prompts have ended.
    pub(super) async fn make(
        &self,
        resource: &NvidiaGpuLlm,
        plan: &ServingPlan,
        pod: Option<&PodFacts>,
        done: bool,
        now: Timestamp,
    ) -> Result<Made, ApplyError> {
        let applier = &self.context.applier;
        let namespace = resource.namespace().unwrap_or_default();
        let mut objects = desired(plan, &Present::default())?;
        let current = self.is_current(resource, objects.last());
        let step = step(pod, run(resource, done), current, now);
        if step != Step::Apply {
            objects.pop();
        }
        if step == Step::Replace {
            applier.remove("Pod", &namespace, &plan.name).await?;
        }
        let answers = answers_name(&plan.name);
        let mut kept = vec![("Pod", plan.name.as_str())];
        if !prompts(resource).is_empty() {
            kept.push(("ConfigMap", answers.as_str()));
        }
        let uid = resource.uid().unwrap_or_default();
        let done = apply(applier, &uid, &objects, &kept).await?;
        Ok(Made { step, done })
    }

    /// Whether the Pod that is there is the one that the plan asks for.
    pub(super) fn has_planned_pod(&self, resource: &NvidiaGpuLlm, plan: &ServingPlan) -> bool {
        let objects = desired(plan, &Present::default());
        objects.is_ok_and(|objects| self.is_current(resource, objects.last()))
    }

    fn is_current(&self, resource: &NvidiaGpuLlm, pod: Option<&DesiredObject>) -> bool {
        let namespace = resource.namespace().unwrap_or_default();
        let child = self
            .context
            .caches
            .child("Pod", &namespace, &resource.spec.llm_name);
        let made_for = child.as_ref().and_then(|child| child.applied.as_deref());
        made_for.is_some() && made_for == pod.map(DesiredObject::hash)
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
