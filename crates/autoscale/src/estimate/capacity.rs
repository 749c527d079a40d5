//! What one replica sustains within the promises.
//!
//! In: the step-time line, the mix of lengths, how far the slow lie above the mean, what limits concurrency. Out: requests
//! per second, and which promise binds; or which promise no number of replicas can keep. It must not look at how many
//! replicas there are.
//!
//! A replica that spends a share u of its time on tokens takes `a / (1 - u)` per step, and u is proportional to the rate:
//! `u = x * (beta * n_out + c * n_in)`. So each promise is a bound on u, the smallest counts, and the rate follows.

use serde::{Deserialize, Serialize};

use super::line::Line;
use crate::targets::Targets;

/// Share of the cache that the mean may fill: lengths vary, and what does not fit waits.
const CACHE_SHARE: f64 = 0.7;
/// Even the hardest promise that an unloaded replica keeps leaves it this busy.
const LEAST_UTILIZATION: f64 = 0.05;
/// Share of the promised time per output token that the slow are planned to take: load swings between two decisions.
const PLANNED: f64 = 0.9;
/// How much the time to first token grows with `u / (1 - u)`, relative to its unloaded value. A prompt's chunks share
/// steps with decoding requests; measured in the simulator 0.15 (prompts of 12000 tokens) to 0.3 (of 1000).
const TTFT_SLOPE: f64 = 0.3;

/// Below this, load hardly adds to the time to first token, so that more replicas would not lower it.
const TTFT_LEAST: f64 = 0.5;

/// Which promise limits a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// Time per output token.
    PerToken,
    /// Time to first token.
    Ttft,
    /// The key-value cache.
    Cache,
    /// The engine's limit of concurrent requests.
    Sequences,
    /// None of them: queues grow without end beyond.
    Stability,
}

impl Bound {
    /// How it reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::PerToken => "time per output token",
            Self::Ttft => "time to first token",
            Self::Cache => "key-value cache",
            Self::Sequences => "concurrent requests",
            Self::Stability => "growing queues",
        }
    }
}

/// What one replica sustains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Requests per second within the promises.
    pub rate: f64,
    /// Share of its time spent on tokens then.
    pub utilization: f64,
    /// Requests inside then.
    pub concurrency: f64,
    /// What limits it.
    pub bound: Bound,
    /// A promise that an unloaded replica does not keep, with the seconds that it takes.
    pub unreachable: Option<(Bound, f64)>,
}

impl Capacity {
    /// Utilization that holding so many requests proves. By Little's law requests inside grow with `u / (1 - u)`.
    pub fn proven_utilization(&self, requests: f64) -> f64 {
        let odds_at_limit = odds(self.utilization);
        from_odds(requests / self.concurrency * odds_at_limit)
    }
}

/// What is known about one replica and its traffic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub line: Line,
    /// Mean tokens of a prompt.
    pub prompt: f64,
    /// Mean tokens of an answer.
    pub output: f64,
    /// What load adds to slow requests' time per token, over what it adds to the mean.
    pub tail: f64,
    /// Slow requests' time to first token, and the utilization it was measured at.
    pub ttft: Option<(f64, f64)>,
    /// Requests that fill the cache.
    pub cache_requests: Option<f64>,
    /// Requests that run at a time.
    pub sequences: Option<f64>,
}

impl Known {
    /// Seconds of a replica's time that a request takes.
    pub fn work(&self) -> f64 {
        (self.line.per_request * self.output + self.line.per_prompt_token * self.prompt).max(1e-9)
    }

    /// Seconds that a request stays in an unloaded replica.
    fn stay(&self) -> f64 {
        (self.line.base * self.output + self.line.per_prompt_token * self.prompt).max(1e-9)
    }

    /// Seconds to the first token in an unloaded replica.
    fn unloaded_ttft(&self) -> f64 {
        self.line.base + self.line.per_prompt_token * self.prompt
    }
}

/// What a replica sustains within the promises.
pub(crate) fn capacity(known: &Known, targets: &Targets) -> Capacity {
    let unloaded = [
        (Bound::PerToken, known.line.base, targets.per_token),
        (Bound::Ttft, known.unloaded_ttft(), targets.ttft),
    ];
    let unreachable = unloaded
        .into_iter()
        .find(|(_, seconds, target)| target.is_some_and(|target| *seconds >= target.as_secs_f64()))
        .map(|(bound, seconds, _)| (bound, seconds));
    let binds = |bound: Bound| unreachable.is_none_or(|(lost, _)| lost != bound);

    let mut limits = vec![(Bound::Stability, Targets::UTILIZATION)];
    if let Some(target) = targets.per_token.filter(|_| binds(Bound::PerToken)) {
        // The slow take `a + tail * (mean - a)`, and the mean is `a / (1 - u)`.
        let unloaded = known.line.base;
        let added = PLANNED * target.as_secs_f64() - unloaded;
        limits.push((Bound::PerToken, from_odds(added / (unloaded * known.tail))));
    }
    if let Some(target) = targets.ttft.filter(|_| binds(Bound::Ttft)) {
        limits.push((Bound::Ttft, ttft_limit(known, target.as_secs_f64())));
    }
    // Little's law: u/w requests per second stay for stay/(1-u) seconds.
    let holding = |requests: f64| from_odds(requests * known.work() / known.stay());
    limits.extend(
        known
            .cache_requests
            .map(|requests| (Bound::Cache, holding(CACHE_SHARE * requests))),
    );
    limits.extend(
        known
            .sequences
            .map(|requests| (Bound::Sequences, holding(CACHE_SHARE * requests))),
    );

    let (bound, utilization) = limits
        .into_iter()
        .map(|(bound, limit)| (bound, limit.max(LEAST_UTILIZATION)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((Bound::Stability, Targets::UTILIZATION));
    Capacity {
        rate: utilization / known.work(),
        utilization,
        concurrency: (utilization / known.work() * known.stay() / (1.0 - utilization)).max(1.0),
        bound,
        unreachable,
    }
}

/// Utilization at which the slow reach the target. What was measured counts; before that, three times the mean prompt.
fn ttft_limit(known: &Known, target: f64) -> f64 {
    let (seconds, at) = known.ttft.unwrap_or((3.0 * known.unloaded_ttft(), 0.0));
    let grown = 1.0 + TTFT_SLOPE * odds(at);
    let allowed = grown * target / seconds.max(1e-9);
    from_odds((allowed - 1.0) / TTFT_SLOPE).max(TTFT_LEAST)
}

fn odds(utilization: f64) -> f64 {
    let utilization = utilization.clamp(0.0, 0.98);
    utilization / (1.0 - utilization)
}

fn from_odds(odds: f64) -> f64 {
    let odds = odds.max(0.0);
    if odds.is_infinite() {
        1.0
    } else {
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn known() -> Known {
        Known {
            line: Line {
                base: 7.26e-3,
                per_request: 4.4e-6 + 0.0762e-6 * 1260.0,
                per_prompt_token: 33.7e-6,
            },
            prompt: 1155.0,
            output: 211.0,
            tail: 1.0,
            ttft: None,
            cache_requests: None,
            sequences: None,
        }
    }

    fn per_token(milliseconds: u64) -> Targets {
        Targets {
            per_token: Some(Duration::from_millis(milliseconds)),
            ..Targets::default()
        }
    }

    /// The reference's closed form: `x* = x_max * (1 - a / planned)` with `x_max` 16.6 for this model and mix.
    #[test]
    fn the_rate_is_the_closed_forms() {
        for (milliseconds, rate) in [(10, 3.21), (20, 9.90), (40, 13.25)] {
            let got = capacity(&known(), &per_token(milliseconds));
            assert!((got.rate / rate - 1.0).abs() < 0.03, "{milliseconds} ms: {got:?}");
            assert_eq!(got.bound, Bound::PerToken);
            assert_eq!(got.unreachable, None);
        }
    }

    /// Slow requests suffer more from load, not from what a step takes without it.
    #[test]
    fn a_tail_is_about_what_load_adds() {
        let slow = Known { tail: 2.0, ..known() };
        for milliseconds in [12, 14, 20, 40] {
            let got = capacity(&slow, &per_token(milliseconds));
            let unloaded = slow.line.base;
            let mean = unloaded / (1.0 - got.utilization);
            let slowest = unloaded + 2.0 * (mean - unloaded);
            let target = f64::from(u32::try_from(milliseconds).unwrap()) / 1000.0;
            assert!(
                (slowest / (PLANNED * target) - 1.0).abs() < 1e-9,
                "{milliseconds} ms: {got:?}"
            );
        }
    }

    #[test]
    fn the_smallest_bound_counts() {
        let targets = Targets {
            ttft: Some(Duration::from_millis(300)),
            ..per_token(100)
        };
        for (name, known, targets, bound) in [
            ("no promise", known(), Targets::default(), Bound::Stability),
            (
                "slow prompts",
                Known {
                    ttft: Some((0.29, 0.5)),
                    ..known()
                },
                targets,
                Bound::Ttft,
            ),
            (
                "small cache",
                Known {
                    cache_requests: Some(8.0),
                    ..known()
                },
                per_token(100),
                Bound::Cache,
            ),
            (
                "few sequences",
                Known {
                    sequences: Some(4.0),
                    ..known()
                },
                per_token(100),
                Bound::Sequences,
            ),
        ] {
            assert_eq!(capacity(&known, &targets).bound, bound, "{name}");
        }
    }

    #[test]
    fn what_no_replica_keeps_is_told_and_the_rest_still_counts() {
        let got = capacity(&known(), &per_token(7));
        assert_eq!(got.unreachable, Some((Bound::PerToken, 7.26e-3)));
        assert_eq!(got.bound, Bound::Stability);
        let targets = Targets {
            ttft: Some(Duration::from_millis(40)),
            ..per_token(50)
        };
        let got = capacity(&known(), &targets);
        assert_eq!(got.unreachable.map(|(bound, _)| bound), Some(Bound::Ttft));
        assert_eq!(got.bound, Bound::PerToken);
    }
}
