//! Requests inside per replica, over a stable and a panic window, as Knative and `AIBrix` have it.
//!
//! Over the stable window the mean of requests inside, divided by the target, is what should be there. When the mean over
//! the shorter panic window asks for twice what serves, that counts, and nothing is taken away until a stable window later.

use std::collections::VecDeque;

use super::Policy;
use crate::{
    num,
    observe::{Phase, Snapshot},
};

/// Seconds of the stable window (`AIBrix`).
const STABLE: f64 = 180.0;
/// Seconds of the panic window (`AIBrix`).
const PANIC: f64 = 60.0;
/// Panic begins when so many times what serves is asked for (Knative).
const PANIC_THRESHOLD: f64 = 2.0;

/// Scales on requests inside.
#[derive(Clone, Debug)]
pub struct Kpa {
    /// Requests inside per replica that are aimed at.
    pub target: f64,
    inside: VecDeque<(f64, f64)>,
    panic_until: f64,
    panic_floor: u32,
}

impl Kpa {
    /// Aims at so many requests inside per replica.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            inside: VecDeque::new(),
            panic_until: 0.0,
            panic_floor: 0,
        }
    }

    fn mean(&self, since: f64) -> f64 {
        let recent: Vec<f64> = self
            .inside
            .iter()
            .filter(|(at, _)| *at > since)
            .map(|(_, inside)| *inside)
            .collect();
        recent.iter().sum::<f64>() / num::float(recent.len()).max(1.0)
    }
}

impl Policy for Kpa {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let now = snapshot.now.as_secs_f64();
        let scrapes = snapshot
            .replicas
            .iter()
            .filter_map(|replica| replica.scrape.as_ref());
        let inside = scrapes
            .map(|s| s.running.unwrap_or(0.0) + s.waiting.unwrap_or(0.0))
            .sum::<f64>();
        self.inside.push_back((now, inside + snapshot.held));
        while self.inside.front().is_some_and(|(at, _)| *at <= now - STABLE) {
            self.inside.pop_front();
        }
        let stable = num::whole_replicas(self.mean(now - STABLE) / self.target);
        let panic = self.mean(now - PANIC) / self.target;
        if panic >= PANIC_THRESHOLD * f64::from(snapshot.count(Phase::Serving).max(1)) {
            self.panic_until = now + STABLE;
        }
        if now < self.panic_until {
            self.panic_floor = self.panic_floor.max(num::whole_replicas(panic));
        } else {
            self.panic_floor = 0;
        }
        stable.max(self.panic_floor).max(1)
    }
}
