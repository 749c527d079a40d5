//! One reconcile of an `LLMDeployment`, from top to bottom.
//!
//! In: a key. Out: children as asked for, a status, at most one Event for what changed. The status is written after
//! every outcome, also after an error.

use std::{sync::Arc, time::Duration};

use api::{
    llm_example_com::v1alpha1::{LLMDeployment, LLMDeploymentStatus},
    shared::State,
};
use k8s_openapi::jiff::Timestamp;
use reconcile::{
    ApplyError, EventKind, Failure, ObjectKey, Outcome as Next, Reconciler, StatusTarget,
    status::StatusWritten,
};

use super::{
    accept::{Rejection, accept},
    apply::{self, apply},
    expecting::Expecting,
    observe::{Observation, observe},
    status::{self, Outcome},
};
use crate::{
    context::{Context, failure},
    kinds::LLM_DEPLOYMENT,
};

/// After this time a Pod of which the scheduler has said nothing is looked at again.
const SCHEDULER_PATIENCE: Duration = Duration::from_secs(31);

/// After this time a name that somebody else's object has is tried again: two requests.
const NAME_PATIENCE: Duration = Duration::from_secs(20);

/// Only after this time a model of a new deployment is said to be missing.
const MODEL_PATIENCE: Duration = Duration::from_millis(250);

/// Brings `LLMDeployment`s to what they ask for.
pub struct LLMDeploymentReconciler {
    context: Arc<Context>,
    expecting: Expecting,
}

impl LLMDeploymentReconciler {
    /// A reconciler on shared caches.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            expecting: Expecting::default(),
        }
    }
}

impl Reconciler for LLMDeploymentReconciler {
    fn kind(&self) -> &'static str {
        LLM_DEPLOYMENT
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, Failure> {
        let context = &*self.context;
        let Some(deployment) = context.caches.deployments.get(&key.namespace, &key.name) else {
            self.expecting.forget(key);
            return context.gone_or_unreadable(&context.caches.deployments, key);
        };
        if deployment.metadata.deletion_timestamp.is_some() {
            return terminate(context, key, &deployment).await;
        }

        let scaler = context.caches.scaler_of(&key.namespace, &key.name);
        let accepted = accept(
            &context.caches,
            &deployment,
            scaler.as_deref(),
            &context.operator_namespace,
        );
        let missing = matches!(accepted, Err(Rejection::ModelNotFound { .. }));
        if self.expecting.waits(key, missing, deployment.status.is_some()) {
            return Ok(Next::RequeueAfter(MODEL_PATIENCE));
        }
        let applied = match &accepted {
            Ok(plan) => Some(apply(&context.applier, plan, scaler.is_some()).await),
            Err(_) => None,
        };
        let now = Timestamp::now();
        let observed = observe(&context.caches, &deployment, accepted.as_ref().ok(), now);
        let outcome = Outcome {
            accepted: accepted.as_ref(),
            applied: applied.as_ref().map(|applied| applied.as_ref().map(|_| ())),
            observed: &observed,
            scaler: scaler.as_deref(),
        };
        let status = status::status(&deployment, &outcome, now);
        write(context, key, &deployment, &status).await?;
        if let Some(Ok(done)) = &applied {
            tell_repairs(context, &deployment, done);
        }
        next(applied, &observed)
    }
}

/// While the resource goes, its children are left to the garbage collector.
async fn terminate(context: &Context, key: &ObjectKey, deployment: &LLMDeployment) -> Result<Next, Failure> {
    let now = Timestamp::now();
    let observed = observe(&context.caches, deployment, None, now);
    let status = status::terminating(deployment, &observed, now);
    write(context, key, deployment, &status).await?;
    Ok(Next::Done)
}

/// Stores the status if it differs, and tells a change of state once.
async fn write(
    context: &Context,
    key: &ObjectKey,
    deployment: &LLMDeployment,
    status: &LLMDeploymentStatus,
) -> Result<(), Failure> {
    let target = StatusTarget::of(deployment);
    let stored = deployment.status.as_ref();
    let written = context
        .status
        .write(&target, stored, status, &*context.caches.deployments)
        .await
        .map_err(|error| failure(&error))?;
    if let Some(state) = status.state.filter(|_| written != StatusWritten::Gone) {
        context.metrics.set_state(key, state.as_str());
        if worth_telling(stored, status, state) {
            let kind = if matches!(state, State::Blocked | State::Invalid) {
                EventKind::Warning
            } else {
                EventKind::Normal
            };
            let reason = status.reason.clone().unwrap_or_default();
            context.tell(deployment, kind, reason, "Reconcile", sentence(status));
        }
    }
    Ok(())
}

/// A new state, or a new cause of the same trouble. States on the way to Ready are told by the status alone.
fn worth_telling(stored: Option<&LLMDeploymentStatus>, new: &LLMDeploymentStatus, state: State) -> bool {
    let before = stored.and_then(|stored| stored.state);
    let same_reason = stored.is_some_and(|stored| stored.reason == new.reason);
    match state {
        State::Progressing | State::Loading | State::Terminating => false,
        State::Ready | State::Stopped => before != Some(state),
        State::Blocked | State::Invalid => before != Some(state) || !same_reason,
    }
}

/// The sentence of the condition that has the status' reason.
fn sentence(status: &LLMDeploymentStatus) -> String {
    let reason = status.reason.as_deref().unwrap_or_default();
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    let cause = status
        .conditions
        .iter()
        .find(|condition| condition.reason == reason);
    cause
        .or(ready)
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}

fn tell_repairs(context: &Context, deployment: &LLMDeployment, done: &apply::Done) {
    let tell = |reason: &str, action: &str, objects: &[String], what: &str| {
        if !objects.is_empty() {
            let note = format!("{} {what}", objects.join(", "));
            context.tell(deployment, EventKind::Normal, reason, action, note);
        }
    };
    tell(
        "Repaired",
        "Apply",
        &done.repaired,
        "had been changed and is as asked for again",
    );
    tell(
        "Pruned",
        "Prune",
        &done.pruned,
        "is no longer asked for and was deleted",
    );
}

fn next(applied: Option<Result<apply::Done, ApplyError>>, observed: &Observation) -> Result<Next, Failure> {
    match applied {
        // Nobody tells us when an object without our label goes.
        Some(Err(ApplyError::NameTaken { .. })) => Ok(Next::RequeueAfter(NAME_PATIENCE)),
        Some(Err(error)) => Err(failure(&error)),
        // Whoever rejected the spec wakes us by the next change of the spec or of the model.
        None | Some(Ok(_)) if observed.explanation.reason == diagnosis::Reason::Starting => {
            Ok(Next::RequeueAfter(SCHEDULER_PATIENCE))
        }
        None | Some(Ok(_)) => Ok(Next::Done),
    }
}
