//! The sum over all programs.

use std::fmt::{self, Display, Formatter};

use crate::again::Twice;

/// What is left to say when all programs have ended.
#[derive(Debug)]
pub struct Report<'a> {
    /// Number of programs that ran.
    pub programs: usize,
    /// Those that failed at first.
    pub twice: &'a [Twice],
}

impl Report<'_> {
    /// Whether every program ended well, at once or with its second run.
    pub fn passed(&self) -> bool {
        !self.twice.iter().any(Twice::failed)
    }
}

impl Display for Report<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let failed: Vec<_> = self.twice.iter().filter(|twice| twice.failed()).collect();
        write!(
            out,
            "{} test programs, {} of them failed",
            self.programs,
            failed.len()
        )?;
        for failed in failed {
            write!(out, "\n  {}: {}", failed.name(), failed.failed_tests().join(", "))?;
        }
        for twice in self.twice {
            for test in twice.unsteady() {
                let name = twice.name();
                write!(
                    out,
                    "\n  UNSTEADY, failed beside others and passed alone: {name}: {test}"
                )?;
            }
        }
        Ok(())
    }
}
