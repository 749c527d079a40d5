//! A `HorizontalPodAutoscaler` (or KEDA) on waiting requests, as the vLLM production stack has it: five per replica.
//!
//! Kubernetes' algorithm with its defaults: the sum over the target, 10 % tolerance, at most the double (or four more) per
//! period, and the highest of the last 300 s when going down.

use std::time::Duration;

use super::Policy;
use crate::{
    decide::Window,
    num,
    observe::{Phase, Snapshot},
};

/// Scales on waiting requests.
#[derive(Clone, Debug)]
pub struct Hpa {
    /// Waiting requests per replica that are aimed at.
    pub target: f64,
    window: Window,
}

impl Hpa {
    /// Aims at so many waiting requests per replica.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            window: Window::default(),
        }
    }
}

impl Policy for Hpa {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let current = snapshot.count(Phase::Starting) + snapshot.count(Phase::Serving);
        let waiting: f64 = snapshot.held
            + snapshot
                .replicas
                .iter()
                .filter_map(|r| r.scrape.as_ref()?.waiting)
                .sum::<f64>();
        let need = waiting / self.target;
        let within_tolerance = (need / f64::from(current.max(1)) - 1.0).abs() <= 0.1;
        let proposed = if within_tolerance {
            current
        } else {
            num::whole_replicas(need).max(1)
        };
        let proposed = proposed.min((2 * current).max(current + 4));
        let lately = self
            .window
            .highest(snapshot.now, Duration::from_mins(5), Duration::ZERO, proposed);
        if proposed >= current {
            proposed
        } else {
            lately.min(current)
        }
    }
}
