//! Status: what a person sees.
//!
//! In: the outcome of every step. Out: the status to store. Pure: the same outcome gives the same status, so that a
//! cluster at rest is not written to.

use api::shared::{ScalingStatus, State};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use reconcile::{
    ApplyError,
    conditions::{self, Finding},
};
use serving::plan::ServingPlan;

use super::{
    ServingKind,
    observe::Observation,
    promised::{Promised, without_stale},
    rejection::Rejection,
};
use crate::{reason::Reason, scaler::Scaler};

/// What the status of every serving kind says; the kind adds its own words and leaves out what it has no field for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServingStatus {
    /// The generation of the spec that the last complete reconcile has seen.
    pub observed_generation: Option<i64>,
    /// Pods that exist.
    pub replicas: Option<i32>,
    /// Pods that serve.
    pub ready_replicas: Option<i32>,
    /// Label selector of the Pods.
    pub selector: Option<String>,
    /// One word.
    pub state: Option<State>,
    /// The reason of the condition that keeps it from being ready, else of `Ready`.
    pub reason: Option<String>,
    /// The model's name for clients.
    pub model: Option<String>,
    /// The image that is rolled out.
    pub image: Option<String>,
    /// GPUs of one replica.
    pub gpu: Option<String>,
    /// How many replicas were decided on, and why.
    pub scaling: Option<ScalingStatus>,
    /// `Accepted`, `Applied`, `Ready` and, where something scales, `ScalingActive` and `LatencyObservable`.
    pub conditions: Vec<Condition>,
}

/// What a kind may use for words of its own, beside the common status.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<'a> {
    /// The plan; `None` when the spec is not accepted, or the resource goes.
    pub plan: Option<&'a ServingPlan>,
    /// Replicas asked for, by the spec or by whoever scales the workload.
    pub desired: i32,
    /// Replicas that serve.
    pub ready: i32,
    /// All replicas asked for serve, and at least one is.
    pub serves: bool,
    /// The spec, what it names, or the objects that would be made cannot be; [`trouble`](Self::trouble) says why. The
    /// API server's passing trouble does not count.
    pub failed: bool,
    /// The one sentence of what is wrong, while nothing will change until somebody acts.
    pub trouble: Option<String>,
}

/// How the steps before this one ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// A plan, or why there is none.
    pub accepted: Result<&'a ServingPlan, &'a Rejection>,
    /// How applying it ended; `None` without a plan.
    pub applied: Option<Result<(), &'a ApplyError>>,
    /// What is seen of the Pods.
    pub observed: &'a Observation,
    /// What sets the number of replicas, if it is not the spec.
    pub scaler: Option<&'a Scaler>,
    /// What stands about a promise.
    pub promised: Option<&'a Promised>,
}

impl Outcome<'_> {
    /// What stands against it before a Pod is looked at: reason, sentence and state.
    fn obstacle(&self) -> Option<(&'static str, String, State)> {
        match (&self.accepted, &self.applied) {
            (Err(rejection), _) => Some((
                rejection.reason().as_str(),
                rejection.to_string(),
                rejection.state(),
            )),
            // The API server's trouble passes and is nobody's to mend: what runs is told as it is, what does not run yet
            // is on its way. Else an overload would flip every state and be answered with two more writes for each.
            (Ok(_), Some(Err(ApplyError::Retryable { .. }))) if self.observed.made => None,
            (Ok(_), Some(Err(error @ ApplyError::Retryable { .. }))) => {
                Some((error.reason(), error.to_string(), State::Progressing))
            }
            (Ok(_), Some(Err(error))) => Some((error.reason(), error.to_string(), State::Blocked)),
            (Ok(_), _) => None,
        }
    }

    /// Every step went to its end.
    fn done(&self) -> bool {
        matches!((&self.accepted, &self.applied), (Ok(_), Some(Ok(()))))
    }
}

/// The status that follows.
pub fn status<'a, K: ServingKind>(
    resource: &K,
    outcome: &Outcome<'a>,
    now: Timestamp,
) -> (ServingStatus, Seen<'a>) {
    let stored = resource.stored();
    let generation = resource.meta().generation.unwrap_or_default();
    let obstacle = outcome.obstacle();
    let observation = outcome.observed;
    let explanation = &observation.explanation;
    let plan = outcome.accepted.ok();

    let scaler = outcome
        .scaler
        .map(|scaler| scaler.sentence(resource.replicas(), K::REPLICAS_FIELD));
    let (scaling, promise) = scaling(outcome, &stored, generation);
    let mut findings = vec![
        accepted(&outcome.accepted, generation),
        applied(outcome.applied.as_ref(), observation.made, scaler, generation),
        ready(outcome, scaling.as_ref(), generation),
    ];
    findings.extend(promise);
    let (reason, state) = match &obstacle {
        Some((reason, _, state)) => (*reason, *state),
        // While old Pods serve and the new version does not come up, the cause is the rollout's.
        None if explanation.serves => (explanation.progress.reason.as_str(), state_of(explanation.state)),
        None => (explanation.reason.as_str(), state_of(explanation.state)),
    };
    let stands_still = matches!(state, State::Blocked | State::Invalid);
    let seen = Seen {
        plan,
        desired: explanation.desired,
        ready: explanation.ready,
        serves: explanation.serves,
        failed: stands_still && obstacle.is_some(),
        trouble: stands_still.then(|| match obstacle {
            Some((_, sentence, _)) => sentence,
            None => explanation.progress.message.clone(),
        }),
    };
    let kept = without_stale(&stored.conditions, &findings, scaling.is_some());
    let status = ServingStatus {
        observed_generation: if outcome.done() {
            Some(generation)
        } else {
            stored.observed_generation
        },
        replicas: Some(observation.pods),
        ready_replicas: Some(explanation.ready),
        selector: Some(resource.selector()),
        state: Some(state),
        reason: Some(reason.to_owned()),
        model: plan.map(|plan| plan.model_name.clone()).or(stored.model),
        image: plan.map(|plan| plan.pod.engine.image.clone()).or(stored.image),
        gpu: match plan {
            Some(plan) => plan.gpu.as_ref().map(serving::gpu::GpuRequest::summary),
            None => stored.gpu,
        },
        scaling,
        conditions: conditions::merge(&kept, &findings, now),
    };
    (status, seen)
}

/// What is told of a promise. While the spec is not accepted, what was told stays.
fn scaling(
    outcome: &Outcome<'_>,
    stored: &ServingStatus,
    generation: i64,
) -> (Option<ScalingStatus>, Vec<Finding>) {
    match outcome.promised {
        Some(promised) => promised.told(stored, generation),
        None if outcome.accepted.is_err() => (stored.scaling.clone(), Vec::new()),
        None => (None, Vec::new()),
    }
}

/// The status of a resource that is being deleted, while its children go.
pub fn terminating<K: ServingKind>(
    resource: &K,
    observed: &Observation,
    now: Timestamp,
) -> (ServingStatus, Seen<'static>) {
    let stored = resource.stored();
    let ready = finding(
        "Ready",
        Some(false),
        Reason::Terminating.as_str(),
        "It is being deleted; its objects go before it.".to_owned(),
        resource.meta().generation.unwrap_or_default(),
    );
    let status = ServingStatus {
        replicas: Some(observed.pods),
        ready_replicas: Some(observed.explanation.ready),
        state: Some(State::Terminating),
        reason: Some(Reason::Terminating.as_str().to_owned()),
        conditions: conditions::merge(&stored.conditions, &[ready], now),
        ..stored
    };
    let seen = Seen {
        plan: None,
        desired: observed.explanation.desired,
        ready: observed.explanation.ready,
        serves: false,
        failed: false,
        trouble: None,
    };
    (status, seen)
}

/// The condition `Accepted`.
pub(crate) fn accepted(accepted: &Result<&ServingPlan, &Rejection>, generation: i64) -> Finding {
    let (status, reason, message) = match accepted {
        Ok(_) => (
            true,
            Reason::Accepted,
            "The spec is valid and everything that it names exists.".to_owned(),
        ),
        Err(rejection) => (false, rejection.reason(), rejection.to_string()),
    };
    finding("Accepted", Some(status), reason.as_str(), message, generation)
}

/// The condition `Applied`; `made`: there is something that was made before, `more`: what else there is to know when all is well.
pub(crate) fn applied(
    applied: Option<&Result<(), &ApplyError>>,
    made: bool,
    more: Option<String>,
    generation: i64,
) -> Finding {
    let (status, reason, message) = match applied {
        Some(Ok(())) => (
            true,
            Reason::Applied.as_str(),
            ["The objects in the cluster are as asked for.".to_owned()]
                .into_iter()
                .chain(more)
                .collect::<Vec<_>>()
                .join(" "),
        ),
        Some(Err(error)) => (false, error.reason(), error.to_string()),
        None if made => (
            false,
            Reason::NotAccepted.as_str(),
            "What was made before is left as it is until the spec is accepted.".to_owned(),
        ),
        None => (
            false,
            Reason::NotAccepted.as_str(),
            "Nothing is made until the spec is accepted.".to_owned(),
        ),
    };
    finding("Applied", Some(status), reason, message, generation)
}

fn ready(outcome: &Outcome<'_>, scaling: Option<&ScalingStatus>, generation: i64) -> Finding {
    let explanation = &outcome.observed.explanation;
    // Nobody has asked for zero: the sentence says how to get it back.
    let at_zero = scaling
        .filter(|scaling| scaling.desired_replicas == Some(0))
        .filter(|_| explanation.reason == diagnosis::Reason::ScaledToZero)
        .and_then(|scaling| scaling.message.clone());
    match outcome.obstacle() {
        // What runs is told as it is; what never ran is told by what stands against it.
        Some((reason, sentence, _)) if !outcome.observed.made => {
            let message = format!("0 of {} replicas serve: {sentence}", explanation.desired);
            finding("Ready", Some(false), reason, message, generation)
        }
        _ => finding(
            "Ready",
            Some(explanation.serves),
            explanation.reason.as_str(),
            at_zero.unwrap_or_else(|| explanation.message.clone()),
            generation,
        ),
    }
}

/// A condition's finding.
pub(crate) fn finding(
    type_: &'static str,
    status: Option<bool>,
    reason: &str,
    message: String,
    generation: i64,
) -> Finding {
    Finding {
        type_,
        status,
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
    }
}

/// The diagnosis' word as the API's.
pub(crate) fn state_of(state: diagnosis::State) -> State {
    match state {
        diagnosis::State::Ready => State::Ready,
        diagnosis::State::Loading => State::Loading,
        diagnosis::State::Progressing => State::Progressing,
        diagnosis::State::Blocked => State::Blocked,
        diagnosis::State::Invalid => State::Invalid,
        diagnosis::State::Stopped => State::Stopped,
        diagnosis::State::Terminating => State::Terminating,
    }
}

#[cfg(test)]
mod tests {
    use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
    use diagnosis::{Input, Snapshot, explain};

    use super::*;
    use crate::llm_deployment::{accept::plan, validate::Referents};

    fn after(error: &ApplyError, made: bool) -> (ServingStatus, Option<String>) {
        let deployment: LLMDeployment = serde_json::from_value(serde_json::json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment",
            "metadata": {"name": "chat", "namespace": "n", "uid": "1", "generation": 2},
            "spec": {"modelRef": "m", "replicas": 0}, "status": {"observedGeneration": 1},
        }))
        .unwrap();
        let model: LLMModel = serde_json::from_value(serde_json::json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel",
            "metadata": {"name": "m", "namespace": "n"}, "spec": {"modelName": "m", "image": "i"},
        }))
        .unwrap();
        let plan = plan(&deployment, &model, Referents::default()).unwrap();
        let explanation = explain(&Input {
            workload: None,
            desired: 0,
            single: false,
            pods: &[],
            need: None,
            around: &Snapshot::default(),
            now: None,
        });
        let observed = Observation {
            explanation,
            pods: 0,
            made,
        };
        let outcome = Outcome {
            accepted: Ok(&plan),
            applied: Some(Err(error)),
            observed: &observed,
            scaler: None,
            promised: None,
        };
        let (status, seen) = status(&deployment, &outcome, Timestamp::UNIX_EPOCH);
        assert_eq!(seen.failed, seen.trouble.is_some());
        (status, seen.trouble)
    }

    #[test]
    fn trouble_of_the_api_server_is_told_and_blocks_nobody() {
        let error = ApplyError::Retryable {
            kind: "Service".into(),
            name: "chat".into(),
            message: "too many requests".into(),
            retry_after: None,
        };
        for (made, state) in [(true, State::Stopped), (false, State::Progressing)] {
            let (status, trouble) = after(&error, made);
            assert_eq!((status.state, trouble), (Some(state), None));
            let applied = status.conditions.iter().find(|one| one.type_ == "Applied");
            let applied = applied.map(|one| (one.status.as_str(), one.reason.as_str()));
            assert_eq!(applied, Some(("False", "ApiUnavailable")));
            assert_eq!(status.observed_generation, Some(1), "not applied yet");
        }
    }

    #[test]
    fn what_somebody_has_to_mend_blocks() {
        let error = ApplyError::NameTaken {
            kind: "Service".into(),
            name: "chat".into(),
            owner: "nobody".into(),
        };
        let (status, trouble) = after(&error, true);
        assert_eq!(status.state, Some(State::Blocked));
        assert_eq!(trouble, Some(error.to_string()));
    }
}
