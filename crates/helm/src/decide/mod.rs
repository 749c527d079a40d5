//! The next step towards what is wanted.
//!
//! In: the state of a release, what was attempted before, what to do about failures, the time. Out: one [`Step`], and the attempts to
//! keep. It must not do anything itself: who calls does one step, says how it ended, and asks again.
//!
//! One pass of the caller:
//! 1. [`pass`] with the attempts of the status; write them to the status if they have changed.
//! 2. For a step that [`Step::is_operation`]: [`Attempts::begin`], write the status, do it, [`Attempts::end`], write the status, list the
//!    release's Secrets anew, and so on from 1. What is written before makes attempts bounded over restarts, and tells a lock that was
//!    left by us from one that somebody else holds.
//! 3. For [`Step::Wait`]: come back at that time. For the others: come back when something changes.

mod attempts;
#[cfg(test)]
mod model;
mod step;
#[cfg(test)]
mod tests;

pub use attempts::{Action, Applied, Attempts, Ended, Request, Started};
pub use step::{InstallRemedy, Remediation, Step, UpgradeRemedy, decide};

use k8s_openapi::jiff::Timestamp;

use crate::{State, View, state};

/// What one look at a release comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Its state.
    pub state: State,
    /// The next step.
    pub step: Step,
    /// The attempts, brought up to date. The same as given when nothing has happened.
    pub attempts: Attempts,
}

/// State and next step of a release. Not to be called while it is not known what is wanted, because a chart cannot be had: `view.wanted`
/// without anything means that the release is removed.
pub fn pass(
    view: &View<'_>,
    attempts: Attempts,
    request: &Request,
    remediation: Remediation,
    now: Timestamp,
) -> Pass {
    let mut attempts = attempts;
    if !view.running {
        attempts = attempts.settle(view.history, now);
    }
    attempts = attempts.asked(view.wanted.map_or("", |wanted| &wanted.digest), request);
    let state = state::determine(view, &attempts);
    attempts = match state {
        State::InSync { .. } | State::Unmanaged { .. } => attempts.done(),
        State::Drifted { .. } => attempts.achieved(),
        _ => attempts,
    };
    let step = decide(&state, &attempts, remediation, now);
    Pass {
        state,
        step,
        attempts,
    }
}
