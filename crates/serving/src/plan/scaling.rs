//! What was promised, and how many replicas there may be to keep it.
//!
//! In: fields of a resource, parsed. Out: plain values that are the same for every kind. It must not know how a number of
//! replicas is decided.

use std::time::Duration;

use crate::field_error::FieldError;

/// Most replicas when nothing is said: this many times the least, and at least [`LEAST_MOST`].
const TIMES_LEAST: i32 = 4;
/// See [`TIMES_LEAST`].
const LEAST_MOST: i32 = 4;
/// Tokens of an answer that a replica which goes still finishes.
const LONG_ANSWER: u32 = 4096;
/// Time per output token when nothing is promised.
const USUAL_TIME: Duration = Duration::from_millis(50);
/// Seconds beside the answer: the prompt, and the pause before the stop signal.
const MARGIN_SECONDS: i64 = 30;
/// See [`ScalingPlan::grace_seconds`].
const STEP_SECONDS: i64 = 300;
/// No replica takes longer to go.
const MOST_SECONDS: i64 = 3600;
/// Share of requests that must be within the times, in millionths, when nothing is said: 99 %.
pub const ATTAINMENT_PPM: u32 = 990_000;

/// How the number of replicas follows the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPlan {
    /// Fewest replicas; at 0 nothing runs, and nothing scales.
    pub least: i32,
    /// Most replicas, never below `least`.
    pub most: i32,
    /// After so long without a request there are none until somebody asks for some; `None`: never.
    pub idle_after: Option<Duration>,
    /// What was promised.
    pub promise: Promise,
}

/// What was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Time to first token.
    pub time_to_first_token: Option<Duration>,
    /// Mean time per output token of a request.
    pub time_per_output_token: Option<Duration>,
    /// Output tokens per second of all replicas together.
    pub output_tokens_per_second: Option<u64>,
    /// Share of requests that must be within the times, in millionths.
    pub attainment_ppm: u32,
}

impl ScalingPlan {
    /// `most_field`: where the most stands, for the error.
    ///
    /// # Errors
    /// The most are fewer than the least.
    pub fn new(
        least: i32,
        most: Option<i32>,
        most_field: &str,
        promise: Promise,
    ) -> Result<Self, FieldError> {
        let most = most.unwrap_or_else(|| least.saturating_mul(TIMES_LEAST).max(LEAST_MOST));
        if most < least {
            let message = format!("{most} is below the least number of replicas, {least}; raise it");
            return Err(FieldError::new(most_field, message));
        }
        Ok(Self {
            least,
            most,
            idle_after: None,
            promise,
        })
    }

    /// Seconds that a replica which goes is given to finish what it has: an answer of 4096 tokens at the promised speed (50 ms per
    /// token unless one is promised) and 30 more, in steps of 300, at most 3600. It is part of the Pods, and a promise that changes a
    /// little must not replace them.
    pub fn grace_seconds(&self) -> i64 {
        let per_token = self.promise.time_per_output_token.unwrap_or(USUAL_TIME);
        let answer = per_token.saturating_mul(LONG_ANSWER).as_secs();
        let answer = i64::try_from(answer).unwrap_or(MOST_SECONDS).min(MOST_SECONDS);
        let steps = (answer + MARGIN_SECONDS + STEP_SECONDS - 1) / STEP_SECONDS;
        (steps * STEP_SECONDS).min(MOST_SECONDS)
    }

    /// Whether something scales: where nothing runs on purpose, nothing does.
    pub const fn active(&self) -> bool {
        self.least > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISE: Promise = Promise {
        time_to_first_token: None,
        time_per_output_token: Some(Duration::from_millis(100)),
        output_tokens_per_second: None,
        attainment_ppm: ATTAINMENT_PPM,
    };

    #[test]
    fn the_most_is_four_times_the_least_and_at_least_four() {
        for (least, most) in [(0, 4), (1, 4), (2, 8), (i32::MAX, i32::MAX)] {
            let plan = ScalingPlan::new(least, None, "maxReplicas", PROMISE).unwrap();
            assert_eq!(plan.most, most);
        }
    }

    #[test]
    fn a_replica_that_goes_finishes_a_long_answer() {
        let plan = ScalingPlan::new(1, None, "maxReplicas", PROMISE).unwrap();
        assert_eq!(plan.grace_seconds(), 600);
    }

    #[test]
    fn a_most_below_the_least_is_named() {
        let error = ScalingPlan::new(3, Some(2), "maxReplicas", PROMISE).unwrap_err();
        assert!(error.to_string().contains("maxReplicas"), "{error}");
    }
}
