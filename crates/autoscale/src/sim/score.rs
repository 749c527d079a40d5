//! What a run was worth.
//!
//! In: a run and a goal. Out: attainment, cost, tails, how often replicas went down and up again. It must not weigh them
//! against each other.

use super::{cluster::Run, engine::Outcome};
use crate::num;

/// What a request must keep to be good, and how many must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Seconds to the first token.
    pub ttft: f64,
    /// Mean seconds per output token.
    pub per_token: f64,
    /// Share of requests that must be good.
    pub attainment: f64,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Share of requests within both times.
    pub attainment: f64,
    /// GPU-hours, start-ups and drains included.
    pub gpu_hours: f64,
    /// Most replicas that existed at a time.
    pub max_replicas: u32,
    /// How often replicas were taken away and ordered again within ten minutes.
    pub oscillations: u32,
    /// 99th percentile of the time to first token, in seconds.
    pub ttft_p99: f64,
    /// 99th percentile of the mean time per output token, in seconds.
    pub per_token_p99: f64,
}

/// Seconds within which more after fewer counts as an oscillation.
const OSCILLATION: f64 = 600.0;

/// Whether a request was answered within both times.
pub fn good(outcome: Option<&Outcome>, goal: &Goal) -> bool {
    outcome.is_some_and(|outcome| outcome.ttft <= goal.ttft && outcome.per_token <= goal.per_token)
}

/// Share of requests that were good.
pub fn attainment(run: &Run, goal: &Goal) -> f64 {
    let kept = run
        .outcomes
        .iter()
        .filter(|outcome| good(outcome.as_ref(), goal))
        .count();
    num::float(kept) / num::float(run.outcomes.len()).max(1.0)
}

/// All figures.
pub fn score(run: &Run, goal: &Goal, gpus: u32) -> Score {
    Score {
        attainment: attainment(run, goal),
        gpu_hours: run.replica_seconds / 3600.0 * f64::from(gpus),
        max_replicas: run.timeline.iter().map(|(_, _, exist)| *exist).max().unwrap_or(0),
        oscillations: oscillations(&run.timeline),
        ttft_p99: percentile(run, |outcome| outcome.ttft),
        per_token_p99: percentile(run, |outcome| outcome.per_token),
    }
}

fn oscillations(timeline: &[(f64, u32, u32)]) -> u32 {
    let mut fell: Option<f64> = None;
    let mut count = 0;
    for pair in timeline.windows(2) {
        let ((_, _, before), (at, _, after)) = (pair[0], pair[1]);
        if after < before {
            fell = Some(at);
        } else if after > before {
            count += u32::from(fell.take().is_some_and(|fell| at - fell <= OSCILLATION));
        }
    }
    count
}

fn percentile(run: &Run, pick: fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = run
        .outcomes
        .iter()
        .map(|outcome| outcome.as_ref().map_or(f64::INFINITY, pick))
        .collect();
    values.sort_by(f64::total_cmp);
    values
        .get(num::index(num::float(values.len()) * 0.99, values.len()))
        .copied()
        .unwrap_or(0.0)
}
