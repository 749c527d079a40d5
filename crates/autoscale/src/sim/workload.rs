//! A workload made of a trace.
//!
//! In: a trace and how to vary it. Out: requests in order over a fixed time. It must not look at a clock: equal seeds
//! give equal workloads.
//!
//! One hour of one service is little. `copies` lays shifted copies of the trace over each other, `repeat` lets it run
//! again, and a day's envelope thins it out as nights do.

use std::f64::consts::TAU;

use super::{rng::Rng, trace::Request};

/// How a trace becomes a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Copies of the trace laid over each other, each shifted in time and wrapped around; at least 1.
    pub copies: u32,
    /// How far copies are shifted at most, in seconds; beyond the trace's length means anywhere. Small values keep the
    /// bursts of the trace together, large ones average them out.
    pub spread: f64,
    /// How often the trace runs, one after the other.
    pub repeat: u32,
    /// Length of the simulated day in seconds; `None`: no envelope.
    pub day: Option<f64>,
    /// Share of the traffic that is left at the deepest point of the night, 0 to 1.
    pub night: f64,
    /// Seed of shifts and thinning.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            copies: 1,
            spread: f64::INFINITY,
            repeat: 1,
            day: None,
            night: 0.25,
            seed: 1,
        }
    }
}

/// Requests in order of arrival, over a time that begins at 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The requests.
    pub requests: Vec<Request>,
    /// How long it lasts, in seconds.
    pub seconds: f64,
}

impl Workload {
    /// Shapes a trace. The trace counts as lasting until its last arrival.
    pub fn new(trace: &[Request], shape: &Shape) -> Self {
        let length = trace.last().map_or(1.0, |last| last.at).max(1.0);
        let mut rng = Rng::new(shape.seed);
        let mut requests = Vec::new();
        for copy in 0..shape.copies.max(1) {
            let spread = shape.spread.clamp(0.0, length);
            let shift = if copy == 0 { 0.0 } else { rng.between(0.0, spread) };
            for run in 0..shape.repeat.max(1) {
                let start = f64::from(run) * length;
                requests.extend(trace.iter().map(|request| Request {
                    at: start + (request.at + shift).rem_euclid(length),
                    ..*request
                }));
            }
        }
        if let Some(day) = shape.day.filter(|day| *day > 0.0) {
            requests.retain(|request| rng.unit() < envelope(request.at, day, shape.night));
        }
        requests.sort_by(|a, b| a.at.total_cmp(&b.at));
        Self {
            requests,
            seconds: length * f64::from(shape.repeat.max(1)),
        }
    }

    /// Mean prompt and output tokens of a request.
    pub fn mean_lengths(&self) -> (f64, f64) {
        let n = crate::num::float(self.requests.len()).max(1.0);
        let sum =
            |pick: fn(&Request) -> u32| self.requests.iter().map(|r| f64::from(pick(r))).sum::<f64>() / n;
        (sum(|r| r.prompt), sum(|r| r.output))
    }
}

/// Share of the traffic that a day has at a time: lowest at the beginning, highest in its middle.
fn envelope(at: f64, day: f64, night: f64) -> f64 {
    night + (1.0 - night) * (1.0 - (TAU * at / day).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Vec<Request> {
        (0..1000u32)
            .map(|i| Request {
                at: f64::from(i),
                prompt: 10,
                output: 5,
            })
            .collect()
    }

    #[test]
    fn copies_and_repeats_multiply() {
        let workload = Workload::new(
            &trace(),
            &Shape {
                copies: 3,
                repeat: 2,
                ..Shape::default()
            },
        );
        assert_eq!(workload.requests.len(), 6000);
        assert!((workload.seconds - 1998.0).abs() < 1e-9);
        assert!(workload.requests.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(workload.mean_lengths(), (10.0, 5.0));
        let again = Workload::new(
            &trace(),
            &Shape {
                copies: 3,
                repeat: 2,
                ..Shape::default()
            },
        );
        assert_eq!(workload, again);
    }

    #[test]
    fn nights_are_quiet() {
        let shape = Shape {
            day: Some(999.0),
            night: 0.1,
            copies: 10,
            ..Shape::default()
        };
        let workload = Workload::new(&trace(), &shape);
        let within = |from: f64, to: f64| {
            workload
                .requests
                .iter()
                .filter(|r| r.at >= from && r.at < to)
                .count()
        };
        assert!(within(0.0, 100.0) * 4 < within(450.0, 550.0));
    }
}
