//! The sum over all programs.

use std::fmt::{self, Display, Formatter};

use crate::program::Outcome;

/// What is left to say when all programs have ended.
#[derive(Debug, Default)]
pub struct Report {
    programs: usize,
    failed: Vec<Failed>,
}

/// A program that failed, and those of its tests that did.
#[derive(Debug)]
struct Failed {
    program: String,
    tests: Vec<String>,
}

impl Report {
    /// Counts a program in.
    pub fn add(&mut self, outcome: Outcome) {
        self.programs += 1;
        if !outcome.success {
            self.failed.push(Failed {
                tests: failed_tests(&outcome.output),
                program: outcome.name,
            });
        }
    }

    /// Whether every program ended well.
    pub fn passed(&self) -> bool {
        self.failed.is_empty()
    }
}

/// The names after `test ` and before ` ... FAILED`.
fn failed_tests(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect()
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} test programs, {} of them failed",
            self.programs,
            self.failed.len()
        )?;
        for failed in &self.failed {
            write!(out, "\n  {}: {}", failed.program, failed.tests.join(", "))?;
        }
        Ok(())
    }
}
