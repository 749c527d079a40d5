//! A second run for the few tests that failed, when nothing runs beside them any more.
//!
//! In: the programs and how their first runs ended. Out: both runs of each that failed. Tests on a real control plane share
//! two cores with others; one that fails only then is told as unsteady, and does not hide: its first words are printed and
//! kept, and the sum names it. It must not run anything again when more than a few have failed, which is no accident.

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
};

use crate::{outcome::Outcome, program::Program};

/// At most so many tests get a second run.
const MOST: usize = 3;

/// A program that failed, and its second run if it had one.
#[derive(Debug)]
pub struct Twice {
    first: Outcome,
    second: Option<Outcome>,
}

/// Runs what failed once more, one program after the other.
pub fn run(programs: &[Program], failed: Vec<Outcome>, logs: &Path) -> Vec<Twice> {
    let tests: Vec<Vec<String>> = failed.iter().map(Outcome::failed_tests).collect();
    let few = tests.iter().map(Vec::len).sum::<usize>() <= MOST && !tests.iter().any(Vec::is_empty);
    let of = |first: Outcome, tests: Vec<String>| {
        let program = programs.iter().find(|program| few && program.name == first.name);
        let second = program.map(|program| {
            println!("once more, alone: {}: {}", program.name, tests.join(", "));
            let filters: Vec<String> = ["--exact".to_owned()].into_iter().chain(tests).collect();
            program.run(&logs.join("again"), &filters)
        });
        Twice { first, second }
    };
    failed
        .into_iter()
        .zip(tests)
        .map(|(first, tests)| of(first, tests))
        .collect()
}

impl Twice {
    /// The program's name.
    pub fn name(&self) -> &str {
        &self.first.name
    }

    /// Whether it counts as failed.
    pub fn failed(&self) -> bool {
        !self.last().success
    }

    /// Tests that failed in the last run.
    pub fn failed_tests(&self) -> Vec<String> {
        self.last().failed_tests()
    }

    /// Tests that failed at first and passed alone. A second run that was cut short has shown nothing.
    pub fn unsteady(&self) -> Vec<String> {
        let still = self.failed_tests();
        let mut names = self.first.failed_tests();
        names.retain(|name| !self.failed() || !still.is_empty() && !still.contains(name));
        names
    }

    fn last(&self) -> &Outcome {
        self.second.as_ref().unwrap_or(&self.first)
    }
}

impl Display for Twice {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if self.failed() {
            // One result per program counts.
            out.write_str(&self.last().output.replace("test result:", "this run:"))?;
        }
        let verdict = self.first.verdict_with(self.unsteady().len());
        write!(out, "{}\n{verdict}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(failed: &[&str]) -> Outcome {
        let lines = failed.iter().map(|test| format!("test {test} ... FAILED\n"));
        let count = failed.len();
        Outcome {
            name: "a".to_owned(),
            took: Duration::ZERO,
            output: lines.collect::<String>()
                + &format!("test result: FAILED. 5 passed; {count} failed; 0 ignored; 0 measured\n"),
            success: failed.is_empty(),
        }
    }

    fn twice(first: &[&str], second: Option<Outcome>) -> Twice {
        Twice {
            first: ended(first),
            second,
        }
    }

    #[test]
    fn what_fails_twice_fails_and_what_passes_alone_is_unsteady() {
        let both = twice(&["one", "two"], Some(ended(&["two"])));
        assert!(both.failed());
        assert_eq!(
            (both.failed_tests(), both.unsteady()),
            (vec!["two".to_owned()], vec!["one".to_owned()])
        );
        let words = both.to_string();
        assert!(words.contains("test two ... FAILED"), "{words}");
        assert!(
            words.ends_with("a\ntest result: FAILED. 6 passed; 1 failed; 0 ignored"),
            "{words}"
        );

        let passed = twice(&["one"], Some(ended(&[])));
        assert!(!passed.failed());
        assert_eq!(passed.unsteady(), ["one"]);
        assert_eq!(
            passed.to_string(),
            "a\ntest result: ok. 6 passed; 0 failed; 0 ignored"
        );
    }

    #[test]
    fn without_a_whole_second_run_the_first_one_counts() {
        let once = twice(&["one"], None);
        assert!(once.failed() && once.unsteady().is_empty());
        let mut killed = ended(&["one"]);
        killed.output = "test one ...".to_owned();
        let cut = twice(&["one"], Some(killed));
        assert!(cut.failed() && cut.unsteady().is_empty());
        assert!(cut.to_string().contains("FAILED. 5 passed; 1 failed"));
    }

    #[test]
    fn many_failures_are_no_accident() {
        let failed = vec![ended(&["one", "two"]), ended(&["three", "four"])];
        let twice = run(&[], failed, Path::new("nowhere"));
        assert!(twice.iter().all(|twice| twice.second.is_none() && twice.failed()));
    }
}
