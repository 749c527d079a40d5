//! One reconcile of a resource that serves, from top to bottom.
//!
//! In: a key. Out: children as asked for, a status, at most one Event for what changed. The status is written after
//! every outcome, also after an error.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use api::shared::{ScalingStatus, State};
use k8s_openapi::jiff::Timestamp;
use reconcile::{ApplyError, EventKind, Failure, ObjectKey, Outcome as Next, Reconciler, StatusTarget};
use serving::{
    plan::ServingPlan,
    request::{Identity, PodForm},
};

use super::{
    ServingKind,
    desired::{Present, desired},
    expecting::Expecting,
    observe::{Observation, observe},
    promised::{Promised, promised},
    rejection::Rejection,
    status::{self, Outcome, Seen, ServingStatus},
};
use crate::{
    apply::{Done, apply},
    context::{Context, News, after_error},
    scaler::Scaler,
    scaling::{reasons::WAKING, scale::ScaleWrites as _, tolerance},
};

/// After this time a Pod of which the scheduler has said nothing is looked at again.
pub(crate) const SCHEDULER_PATIENCE: Duration = Duration::from_secs(31);

/// Only after this time what a new resource names is said to be missing, and an older one of its name is waited for.
const REFERENT_PATIENCE: Duration = Duration::from_millis(250);

/// After this time something that is brought in line by its own reconcile is looked at again, if that woke nobody.
const PENDING_PATIENCE: Duration = Duration::from_secs(1);

/// Brings the resources of one kind to what they ask for.
pub struct ServingReconciler<K> {
    context: Arc<Context>,
    expecting: Expecting,
    kind: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for ServingReconciler<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingReconciler").finish_non_exhaustive()
    }
}

impl<K: ServingKind> ServingReconciler<K> {
    /// A reconciler on shared caches.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            expecting: Expecting::default(),
            kind: PhantomData,
        }
    }
}

impl<K: ServingKind> Reconciler for ServingReconciler<K> {
    fn kind(&self) -> &'static str {
        K::KIND
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, Failure> {
        let context = &*self.context;
        let cache = K::cache(&context.caches);
        let Some(resource) = cache.get(&key.namespace, &key.name) else {
            self.expecting.forget(key);
            context.promises.forget(key);
            return context.gone_or_unreadable(cache, key);
        };
        if resource.meta().deletion_timestamp.is_some() {
            return terminate(context, key, &*resource).await;
        }

        let scaler = context.caches.scaler_of(K::WORKLOAD, &key.namespace, &key.name);
        if resource.status().is_none() && context.caches.has_unseen_elder(&*resource) {
            return Ok(Next::RequeueAfter(REFERENT_PATIENCE));
        }
        let accepted = resource.accept(context, scaler.as_deref());
        if matches!(accepted, Err(Rejection::Pending)) {
            return Ok(Next::RequeueAfter(PENDING_PATIENCE));
        }
        let missing = accepted.as_ref().is_err_and(Rejection::may_come);
        if self.expecting.waits(key, missing, resource.status().is_some()) {
            return Ok(Next::RequeueAfter(REFERENT_PATIENCE));
        }
        let promised = accepted
            .as_ref()
            .ok()
            .and_then(|plan| promised(context, key, &*resource, plan, scaler.as_deref()));
        let applied = match &accepted {
            Ok(plan) => Some(make::<K>(context, plan, promised.as_ref(), scaler.as_deref()).await),
            Err(_) => None,
        };
        if applied.as_ref().is_some_and(lacks_tolerance) {
            // From now on no autoscaler is asked for, so this cannot come again and again.
            context.promises.tolerance.lose();
            if let Some(Ok(done)) = &applied {
                done.tell(context, &*resource);
            }
            return Ok(Next::RequeueAfter(Duration::ZERO));
        }
        let now = Timestamp::now();
        let observed = observe(&context.caches, &*resource, accepted.as_ref().ok(), now);
        let outcome = Outcome {
            accepted: accepted.as_ref(),
            applied: applied.as_ref().map(|applied| applied.as_ref().map(|_| ())),
            observed: &observed,
            scaler: scaler.as_deref(),
            promised: promised.as_ref(),
        };
        let (status, seen) = status::status(&*resource, &outcome, now);
        let woken = woken(resource.stored().scaling.as_ref(), status.scaling.as_ref());
        write(context, key, &*resource, status, &seen).await?;
        if let Some(sentence) = woken {
            context.tell(&*resource, EventKind::Normal, WAKING, "Scale", sentence);
        }
        if let Some(Ok(done)) = &applied {
            done.tell(context, &*resource);
        }
        next(applied, &observed)
    }
}

async fn make<K: ServingKind>(
    context: &Context,
    plan: &ServingPlan,
    promised: Option<&Promised>,
    scaler: Option<&Scaler>,
) -> Result<Done, ApplyError> {
    let Identity {
        namespace, name, uid, ..
    } = &plan.identity;
    let workload = context.caches.workload(K::WORKLOAD, namespace, name);
    let leftovers = match &workload {
        Some(_) => Vec::new(),
        None => leftovers(plan),
    };
    let gone = context.applier.prune_unlabelled(uid, &leftovers).await?;
    let present = Present {
        at_zero: promised.is_some_and(|promised| promised.at_zero),
        adopted: workload.as_ref().and_then(|child| child.head.adopted.clone()),
        ..Present::of(promised.and_then(|promised| promised.carrier.as_ref()), scaler)
    };
    let mut done = apply(&context.applier, uid, &desired(plan, &present)?, &[]).await?;
    done.add_pruned(gone);
    let asked = workload.map(|child| child.facts.desired);
    let to_set = promised.and_then(|promised| promised.to_set(asked?));
    if let Some(replicas) = to_set {
        let scale = &context.promises.scale;
        let set = scale.set(K::WORKLOAD, namespace, &plan.name, replicas).await;
        set.map_err(|error| ApplyError::classify(K::WORKLOAD.as_str(), namespace, &plan.name, error))?;
    }
    Ok(done)
}

/// Whether an autoscaler of ours is not what we ask for, because this API server does not keep its tolerance.
fn lacks_tolerance(applied: &Result<Done, ApplyError>) -> bool {
    match applied {
        Ok(done) => done.tolerance_dropped,
        Err(error) => tolerance::is_refused(error),
    }
}

/// The sentence about replicas that come back after there were none; that there are none is told by the state.
fn woken(before: Option<&ScalingStatus>, after: Option<&ScalingStatus>) -> Option<String> {
    let was_zero = before?.desired_replicas == Some(0);
    let after = after.filter(|after| was_zero && after.desired_replicas > Some(0))?;
    after.message.clone()
}

/// What another operator may have made for the resource that is no longer asked for; our caches do not have it.
fn leftovers(plan: &ServingPlan) -> Vec<(&str, &str, &str)> {
    let Identity { namespace, name, .. } = &plan.identity;
    let asked = plan.pod.form == PodForm::Own || plan.ingress.is_some();
    (!asked)
        .then_some(("Ingress", namespace.as_str(), name.as_str()))
        .into_iter()
        .collect()
}

/// While the resource goes, its children are left to the garbage collector.
async fn terminate<K: ServingKind>(
    context: &Context,
    key: &ObjectKey,
    resource: &K,
) -> Result<Next, Failure> {
    let now = Timestamp::now();
    let observed = observe(&context.caches, resource, None, now);
    let (status, seen) = status::terminating(resource, &observed, now);
    write(context, key, resource, status, &seen).await?;
    Ok(Next::Done)
}

/// Stores the status if it differs, and tells a change of state once.
async fn write<K: ServingKind>(
    context: &Context,
    key: &ObjectKey,
    resource: &K,
    common: ServingStatus,
    seen: &Seen<'_>,
) -> Result<(), Failure> {
    let status = resource.worded(common.clone(), seen);
    let state = common.state.unwrap_or(State::Progressing);
    let reason = common.reason.clone().unwrap_or_default();
    let news = News::of((resource.state(), resource.reason()), (state, &reason), || {
        sentence(&common)
    });
    let statuses = (resource.status(), &status);
    context
        .report(
            key,
            (resource, &StatusTarget::of(resource)),
            statuses,
            &**K::cache(&context.caches),
            news,
        )
        .await?;
    Ok(())
}

/// The sentence of the condition that has the status' reason.
fn sentence(status: &ServingStatus) -> String {
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

fn next(applied: Option<Result<Done, ApplyError>>, observed: &Observation) -> Result<Next, Failure> {
    match applied {
        Some(Err(error)) => after_error(&error),
        // Whoever rejected the spec wakes us by the next change of the spec or of what it names.
        None | Some(Ok(_)) if observed.explanation.reason == diagnosis::Reason::Starting => {
            Ok(Next::RequeueAfter(SCHEDULER_PATIENCE))
        }
        None | Some(Ok(_)) => Ok(Next::Done),
    }
}
