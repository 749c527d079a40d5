//! A decision about one resource, with everything that its status and figures tell of it. A value without behaviour.

use autoscale::{Bounds, Decision, idle::Course};
use jiff::Timestamp;

use super::{Latency, snapshot::Sight};

/// How many replicas there should be, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Replicas that should exist.
    pub replicas: u32,
    /// When it was decided; whole seconds.
    pub at: Timestamp,
    /// The planner's decision.
    pub decision: Decision,
    /// The bounds that it was made within.
    pub bounds: Bounds,
    /// Most that the plan allows, whatever room there is.
    pub most: u32,
    /// The decision's sentence, with what could not be seen and what limits.
    pub message: String,
    /// Whether what was promised can be seen.
    pub latency: Latency,
    /// What could not be seen.
    pub sight: Sight,
    /// Whether it goes to zero, is there, or comes back.
    pub course: Course,
    /// Of a workload at zero.
    pub zero: Option<Zero>,
}

/// What a status remembers of a workload that went to zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zero {
    /// Since when there was no request; `None`: somebody has set it to zero.
    pub idle_since: Option<Timestamp>,
    /// The wake word that was known then.
    pub wake_seen: Option<String>,
}
