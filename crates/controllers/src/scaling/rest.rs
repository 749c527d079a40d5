//! A model that nobody uses, and its way back: what the pure state machine says, as a decision with its sentence.
//!
//! In: the planner's decision, looks. Out: the decision that counts. It must not write anything; who carries a course out says so by
//! [`Rest::ordered`].

use std::time::Duration;

use api::shared::ScalingStatus;
use autoscale::{
    Bounds, Decision, Reason,
    idle::{Asleep, Course, Idle, Look, Memory, Wanted},
};
use jiff::{SignedDuration, Timestamp};

use super::{Subject, Zero, reasons, wake};

/// What is remembered of one resource.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    idle: Idle,
    /// Why there are no replicas, or again some.
    sentence: String,
    zero: Zero,
}

impl Rest {
    /// Goes on from what the subject's status says.
    pub fn new(subject: &Subject) -> Self {
        let stored = subject.stored.clone().unwrap_or_default();
        let number = |number: Option<i32>| u32::try_from(number.unwrap_or_default()).unwrap_or_default();
        let desired = stored.desired_replicas.map(|desired| number(Some(desired)));
        let idle = match desired {
            Some(0) => Idle::zero(Memory {
                wake: stored.wake_seen.as_deref().map(Into::into),
                least: number(stored.min_replicas),
            }),
            Some(desired) if stored.reason.as_deref() == Some(reasons::WAKING) => Idle::waking(desired),
            desired => Idle::awake(desired.is_some()),
        };
        Self {
            idle,
            zero: zero(&stored),
            sentence: stored.message.unwrap_or_default(),
        }
    }

    /// Whether there are no replicas.
    pub fn is_zero(&self) -> bool {
        self.idle.is_zero()
    }

    /// For how long nobody used the model; `None` while somebody does, or it cannot be seen.
    pub fn quiet_for(&self) -> Option<Duration> {
        self.idle.quiet_for()
    }

    /// The number was published.
    pub fn ordered(&mut self, replicas: u32) {
        self.idle.took(replicas);
    }

    /// The decision that counts, and where it goes; `day`: the time of day.
    pub fn decide(
        &mut self,
        (subject, day): (&Subject, Timestamp),
        look: &Look<'_>,
        bounds: Bounds,
        decision: Decision,
    ) -> (Decision, Course) {
        let course = self.idle.look(look);
        let startup = decision.inputs.startup_seconds;
        let at_least = |replicas: u32| decision.replicas.max(replicas.min(bounds.max));
        let (replicas, reason) = match course {
            Course::Follow => return (decision, course),
            Course::Sleep(why) => {
                self.zero = Zero {
                    idle_since: since(why, day),
                    wake_seen: self.idle.memory().wake.as_deref().map(str::to_owned),
                };
                self.sentence = asleep(why, self.zero.idle_since, subject);
                (0, Reason::ScaledToZero)
            }
            Course::Zero => (0, Reason::ScaledToZero),
            Course::Wake(replicas, why) => {
                let replicas = at_least(replicas);
                self.sentence = awake(why, replicas, startup);
                (replicas, Reason::Waking)
            }
            Course::Waking(replicas) => (at_least(replicas), Reason::Waking),
        };
        let decision = Decision {
            replicas,
            reason,
            message: self.sentence.clone(),
            ..decision
        };
        (decision, course)
    }

    /// What the status has to remember after a decision.
    pub fn zero(&self, course: Course) -> Option<Zero> {
        matches!(course, Course::Sleep(_) | Course::Zero).then(|| self.zero.clone())
    }
}

fn zero(stored: &ScalingStatus) -> Zero {
    Zero {
        idle_since: stored.idle_since.as_ref().map(|time| time.0),
        wake_seen: stored.wake_seen.clone(),
    }
}

/// Since when there was no request, in whole seconds.
fn since(why: Asleep, day: Timestamp) -> Option<Timestamp> {
    let Asleep::Unused(time) = why else { return None };
    let since = day.checked_sub(SignedDuration::try_from(time).ok()?).ok()?;
    Timestamp::from_second(since.as_second()).ok()
}

fn asleep(why: Asleep, since: Option<Timestamp>, subject: &Subject) -> String {
    let why = match (why, since) {
        (Asleep::Unused(time), Some(since)) => format!("no request for {} (since {since})", spelled(time)),
        (Asleep::Unused(time), None) => format!("no request for {}", spelled(time)),
        (Asleep::ByHand, _) => "somebody set the workload to zero".to_owned(),
    };
    let key = &subject.key;
    format!(
        "No replicas: {why}. To wake it: kubectl -n {} annotate {} {} --overwrite \"{}=$(date +%s)\"",
        key.namespace,
        subject.owner,
        key.name,
        wake::ANNOTATION
    )
}

fn awake(why: Wanted, replicas: u32, startup: f64) -> String {
    let why = match why {
        Wanted::Asked => format!("the annotation {} has a new value", wake::ANNOTATION),
        Wanted::Scaled => "somebody set the workload above zero".to_owned(),
        Wanted::Held => "requests wait".to_owned(),
        Wanted::LeastRaised => "the fewest replicas were raised".to_owned(),
        Wanted::Kept => {
            "nothing says any more after how long without a request there should be none".to_owned()
        }
    };
    let plural = if replicas == 1 { "" } else { "s" };
    format!(
        "{replicas} replica{plural} instead of none: {why}. A replica takes about {startup:.0} s to serve"
    )
}

/// `90 s`, `15 minutes`.
fn spelled(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} minutes", seconds / 60)
    }
}

#[cfg(test)]
#[path = "rest_tests.rs"]
mod tests;
