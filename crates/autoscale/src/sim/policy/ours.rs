//! The operator's own planner on simulated scrapes.

use super::Policy;
use crate::{Bounds, Config, Decision, Planner, observe::Snapshot};

/// The planner, with the last decision it made.
#[derive(Clone, Debug)]
pub struct Ours {
    planner: Planner,
    bounds: Bounds,
    /// The last decision.
    pub last: Option<Decision>,
}

impl Ours {
    /// A planner with its configuration.
    pub fn new(config: Config, bounds: Bounds) -> Self {
        Self {
            planner: Planner::new(config),
            bounds,
            last: None,
        }
    }
}

impl Policy for Ours {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let decision = self.planner.decide(snapshot, self.bounds);
        let replicas = decision.replicas;
        self.last = Some(decision);
        replicas
    }
}
