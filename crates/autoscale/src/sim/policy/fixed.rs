//! Policies that look at nothing: a fixed number, and a schedule made beforehand.

use super::Policy;
use crate::observe::Snapshot;
use crate::sim::cluster::BEGIN;

/// Always the same number.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub u32);

impl Policy for Fixed {
    fn desired(&mut self, _: &Snapshot) -> u32 {
        self.0
    }
}

/// A number per step of time; the last one holds on.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Seconds of one step.
    pub step: f64,
    /// Replicas that exist in each step.
    pub replicas: Vec<u32>,
}

impl Policy for Schedule {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let at = crate::num::index(
            (snapshot.now.as_secs_f64() - BEGIN) / self.step + 1e-9,
            self.replicas.len(),
        );
        self.replicas.get(at).copied().unwrap_or(0)
    }
}
