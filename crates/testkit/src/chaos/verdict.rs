//! What came of a run. In: its journal. Out: lines to read, and whether it passed.

use std::fmt;
use std::time::Duration;

/// The most that the operator may hold at rest, as a multiple of what it held before the first fault.
pub const MEMORY_GROWTH: f64 = 1.3;

/// See the module.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// Rounds that were done, and planned.
    pub rounds: (usize, usize),
    /// Operations that were done.
    pub operations: u32,
    /// Faults that were injected.
    pub faults: u32,
    /// Counts by kind.
    pub summary: String,
    /// Memory of the leader at rest, before the first fault and at the end, in MB of 10^6 bytes.
    pub memory: (f64, f64),
    /// How long it took.
    pub took: Duration,
    /// What must not have been.
    pub violations: Vec<String>,
}

impl Verdict {
    /// Whether all that was planned was done, and every invariant held.
    pub fn passed(&self) -> bool {
        self.violations.is_empty() && self.rounds.0 == self.rounds.1
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.summary)?;
        let (before, after) = self.memory;
        writeln!(
            formatter,
            "memory at rest: {before:.1} MB before, {after:.1} MB after"
        )?;
        for violation in &self.violations {
            writeln!(formatter, "VIOLATION {violation}")?;
        }
        let word = if self.passed() { "PASS" } else { "FAIL" };
        let (done, planned) = self.rounds;
        write!(
            formatter,
            "{word}  seed {}: {} faults, {} operations, {done} of {planned} rounds, {} violations, {:.0} s",
            self.seed,
            self.faults,
            self.operations,
            self.violations.len(),
            self.took.as_secs_f64()
        )
    }
}
