//! How a run of a test program ended, as the program itself tells it.
//!
//! In: what it wrote and its exit code. Out: its verdict, the tests that failed, and lines for people.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// The program's name.
    pub name: String,
    /// How long it ran.
    pub took: Duration,
    /// Everything that it wrote, in order; or why it could not be run.
    pub output: String,
    /// Whether it exited with 0.
    pub success: bool,
}

impl Outcome {
    /// The names after `test ` and before ` ... FAILED`; empty when it did not come to an end of its own.
    pub fn failed_tests(&self) -> Vec<String> {
        if self.verdict().is_none() {
            return Vec::new();
        }
        let lines = self.output.lines();
        lines
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(str::to_owned)
            .collect()
    }

    /// All it wrote, as a quotation: no line of it reads as a result.
    pub fn quoted(&self) -> String {
        let mut quoted = String::new();
        for line in self.output.lines() {
            quoted.extend(["  | ", line, "\n"]);
        }
        quoted
    }

    /// `test result: …`, with `passed` tests that failed here and passed in another run.
    pub fn verdict_with(&self, passed: usize) -> String {
        let Some(verdict) = self.verdict() else {
            return "test result: FAILED. It did not come to an end of its own".to_owned();
        };
        let count = |what: &str| {
            let before = verdict.split(what).next()?.trim_end();
            before.rsplit(' ').next()?.parse::<usize>().ok()
        };
        match (count("passed"), count("failed"), count("ignored")) {
            (Some(good), Some(bad), Some(ignored)) if passed > 0 => {
                let bad = bad.saturating_sub(passed);
                let word = if bad == 0 { "ok" } else { "FAILED" };
                let good = good + passed;
                format!("test result: {word}. {good} passed; {bad} failed; {ignored} ignored")
            }
            _ => verdict.to_owned(),
        }
    }

    fn verdict(&self) -> Option<&str> {
        self.output.lines().rfind(|line| line.starts_with("test result:"))
    }
}

impl Display for Outcome {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({:.0?})", self.name, self.took)?;
        if self.success {
            write!(out, "\n{}", self.verdict_with(0))
        } else {
            write!(out, ": failed\n{}", self.quoted())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(output: &str) -> Outcome {
        Outcome {
            name: "api (lib)".to_owned(),
            took: Duration::from_secs(2),
            output: output.to_owned(),
            success: false,
        }
    }

    #[test]
    fn tells_which_tests_failed_and_counts_those_that_passed_later() {
        let outcome = ended(
            "test a ... ok\ntest b::c ... FAILED\n\ntest result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!(outcome.failed_tests(), ["b::c"]);
        assert!(
            outcome
                .verdict_with(0)
                .contains("FAILED. 12 passed; 1 failed; 3 ignored; 0 measured")
        );
        assert_eq!(
            outcome.verdict_with(1),
            "test result: ok. 13 passed; 0 failed; 3 ignored"
        );
        assert!(outcome.quoted().lines().all(|line| line.starts_with("  | ")));
    }

    #[test]
    fn a_program_that_was_killed_names_no_test() {
        let outcome = ended("test b::c ... FAILED\n");
        assert_eq!(outcome.failed_tests(), Vec::<String>::new());
        assert!(outcome.verdict_with(0).contains("did not come to an end"));
    }
}
