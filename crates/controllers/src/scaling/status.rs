//! What a resource's status says of a decision, and when it has to say something new.
//!
//! In: the decision that is on the board, and what is stored. Out: the status to store, and conditions. Pure: the same decision gives
//! the same status, and one that says nothing new gives the stored one, so that a cluster at rest is not written to.

use api::shared::{ScalingStatus, Transport};
use autoscale::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use reconcile::conditions::Finding;

use super::{Decided, Latency, reasons};

/// Inputs that moved by less are the same.
const MOVED: f64 = 0.1;

/// How much a decision differs from what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Nothing worth a write.
    None,
    /// Inputs moved, or another word for a number that stays: worth a write now and then.
    Inputs,
    /// The number, its bounds, or whether something stands against it.
    Number,
}

/// The status of a decision; `transport`: what carries it to the workload, if that is known.
pub fn scaling(
    decided: &Decided,
    stored: Option<&ScalingStatus>,
    transport: Option<Transport>,
) -> ScalingStatus {
    let new = candidate(decided, stored);
    let kept = stored.filter(|stored| match difference(Some(stored), &new) {
        Difference::None => true,
        // After a restart: what was seen before still stands.
        Difference::Inputs => saw_nothing(decided),
        Difference::Number => false,
    });
    ScalingStatus {
        transport: transport.or(stored.and_then(|stored| stored.transport)),
        ..kept.cloned().unwrap_or(new)
    }
}

/// The conditions `ScalingActive` and `LatencyObservable`; `status` is what [`scaling`] says.
pub fn findings(decided: &Decided, status: &ScalingStatus, generation: i64) -> [Finding; 2] {
    let (observable, reason, message) = match decided.latency {
        Latency::Unknown => (
            None,
            reasons::NOT_SEEN,
            "No replica has told the promised times yet; engines tell them once they have answered a request."
                .to_owned(),
        ),
        Latency::Exported => (
            Some(true),
            reasons::EXPORTED,
            "The engine exports the times that were promised.".to_owned(),
        ),
        Latency::Missing(what) => (
            Some(false),
            reasons::NOT_EXPORTED,
            format!(
                "The engine exports no {what}: replicas follow the requests that it holds, as far as it tells them, with expected \
                 instead of measured capacity; what was promised cannot be checked."
            ),
        ),
        Latency::NoMetrics => (
            Some(false),
            reasons::NO_METRICS,
            "The engine exports no metrics that are known: the number of replicas stays as it is.".to_owned(),
        ),
    };
    let active = !matches!(
        decided.decision.reason,
        Reason::NotObservable | Reason::ScrapeFailed
    );
    [
        Finding {
            type_: reasons::SCALING_ACTIVE,
            status: Some(active),
            reason: status.reason.clone().unwrap_or_default(),
            message: status.message.clone().unwrap_or_default(),
            observed_generation: generation,
        },
        Finding {
            type_: reasons::LATENCY_OBSERVABLE,
            status: observable,
            reason: reason.to_owned(),
            message,
            observed_generation: generation,
        },
    ]
}

/// No replica was asked yet.
fn saw_nothing(decided: &Decided) -> bool {
    let inputs = &decided.decision.inputs;
    inputs.scraped == 0 && inputs.unseen == 0 && decided.latency == Latency::Unknown
}

/// The decision as a status that nothing is stored beside, but the time since when the number and its reason stand.
pub(crate) fn candidate(decided: &Decided, stored: Option<&ScalingStatus>) -> ScalingStatus {
    let number = |replicas: u32| Some(i32::try_from(replicas).unwrap_or(i32::MAX));
    let (inputs, capacity) = (&decided.decision.inputs, &decided.decision.capacity);
    // Of a model that nobody uses there is nothing to tell but how long it takes to come back.
    let at_zero = decided.replicas == 0;
    let seen = inputs.scraped > 0 && decided.decision.reason != Reason::NotObservable && !at_zero;
    let told = |value: f64, decimals: usize, unit: &str| {
        (seen && value.is_finite()).then(|| format!("{value:.decimals$}{unit}"))
    };
    let zero = decided.zero.as_ref();
    let step = inputs.unloaded_step_seconds / (1.0 - inputs.utilization.min(0.99)) * 1000.0;
    let new = ScalingStatus {
        desired_replicas: number(decided.replicas),
        min_replicas: number(decided.bounds.min),
        // Not the room of the moment: that changes with everybody's Pods, and is told where it limits.
        max_replicas: number(decided.most),
        transport: None,
        reason: Some(reasons::word(decided.decision.reason).to_owned()),
        message: Some(decided.message.clone()),
        decided_at: Some(Time(decided.at)),
        arrivals: told(inputs.arrivals, 1, "/s"),
        ready_for: told(inputs.ready_for, 1, "/s"),
        replica_capacity: told(capacity.rate, 2, "/s"),
        limited_by: seen.then(|| capacity.bound.words().to_owned()),
        waiting: told(inputs.waiting, 0, ""),
        time_per_output_token: told(step, 1, "ms"),
        startup_time: at_zero
            .then(|| format!("{:.0}s", inputs.startup_seconds))
            .or_else(|| told(inputs.startup_seconds, 0, "s")),
        idle_since: zero.and_then(|zero| zero.idle_since).map(Time),
        wake_seen: zero.and_then(|zero| zero.wake_seen.clone()),
    };
    match stored {
        Some(stored) if (stored.desired_replicas, &stored.reason) == (new.desired_replicas, &new.reason) => {
            let decided_at = stored.decided_at.clone().or(new.decided_at);
            ScalingStatus { decided_at, ..new }
        }
        _ => new,
    }
}

/// How much `new` differs from what is stored.
pub(crate) fn difference(stored: Option<&ScalingStatus>, new: &ScalingStatus) -> Difference {
    let Some(stored) = stored else {
        return Difference::Number;
    };
    let number = |status: &ScalingStatus| (status.desired_replicas, status.min_replicas, status.max_replicas);
    // That the bounds limit a number comes and goes with the load, as the words for following it do.
    let trouble = |status: &ScalingStatus| {
        let reason = status.reason.clone().unwrap_or_default();
        (!reasons::follows(&reason) && reason != reasons::LIMITED).then_some(reason)
    };
    if number(stored) != number(new) || trouble(stored) != trouble(new) {
        Difference::Number
    } else if stored.reason != new.reason || stored.limited_by != new.limited_by || moved(stored, new) {
        Difference::Inputs
    } else {
        Difference::None
    }
}

fn moved(stored: &ScalingStatus, new: &ScalingStatus) -> bool {
    /// A field, and what is nothing of it.
    type Field = (fn(&ScalingStatus) -> &Option<String>, f64);
    const FIELDS: [Field; 6] = [
        (|status| &status.arrivals, 0.15),
        (|status| &status.ready_for, 0.15),
        (|status| &status.replica_capacity, 0.015),
        (|status| &status.waiting, 2.5),
        (|status| &status.time_per_output_token, 0.25),
        (|status| &status.startup_time, 1.5),
    ];
    FIELDS.iter().any(|(field, nothing)| {
        match (amount(field(stored).as_deref()), amount(field(new).as_deref())) {
            (Some(old), Some(new)) => (new - old).abs() > (MOVED * old.abs()).max(*nothing),
            (old, new) => old.is_some() != new.is_some(),
        }
    })
}

/// The number before the unit.
fn amount(text: Option<&str>) -> Option<f64> {
    let number = text?.trim_end_matches(|c: char| c.is_alphabetic() || c == '/');
    number.parse().ok()
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
