//! How much chaos is wanted, and with what.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::Sizes;

/// One run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed gives the same plan.
    pub seed: u64,
    /// How much is done.
    pub sizes: Sizes,
    /// The operator's executable.
    pub operator: PathBuf,
    /// Root of the repository: the shipped roles are in it.
    pub root: PathBuf,
    /// Replicas of the operator; one leads.
    pub replicas: usize,
    /// How long everything may take to come right after a round.
    pub patience: Duration,
    /// How long nothing may be written at rest.
    pub rest: Duration,
    /// No round is begun after this time.
    pub limit: Duration,
}
