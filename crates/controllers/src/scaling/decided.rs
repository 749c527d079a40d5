//! A decision about one resource, with everything that its status and figures tell of it. A value without behaviour.

use autoscale::{Bounds, Decision};
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
}
