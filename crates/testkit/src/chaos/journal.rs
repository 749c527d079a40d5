//! What was done and seen, line by line with times, and counted. In: words. Out: lines on standard output, counts.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Instant;

use parking_lot::Mutex;

#[derive(Debug, Default)]
struct Kept {
    operations: BTreeMap<String, u32>,
    faults: BTreeMap<String, u32>,
    violations: Vec<String>,
}

/// The journal of one run.
#[derive(Debug)]
pub struct Journal {
    begin: Instant,
    quiet: bool,
    kept: Mutex<Kept>,
}

impl Journal {
    /// An empty one; a quiet one prints violations and nothing else.
    pub fn new(quiet: bool) -> Self {
        Self {
            begin: Instant::now(),
            quiet,
            kept: Mutex::default(),
        }
    }

    /// A line.
    #[allow(clippy::print_stdout, reason = "the journal is what a person reads")]
    pub fn say(&self, words: impl Display) {
        if !self.quiet {
            println!("{:8.2}  {words}", self.begin.elapsed().as_secs_f64());
        }
    }

    /// A line about an operation that is done.
    pub fn operation(&self, name: &str, words: impl Display) {
        *self.kept.lock().operations.entry(name.to_owned()).or_default() += 1;
        self.say(format!("{name:<10} {words}"));
    }

    /// A line about a fault that was met.
    pub fn fault(&self, name: &str, words: impl Display) {
        *self.kept.lock().faults.entry(name.to_owned()).or_default() += 1;
        self.say(format!("FAULT {name} {words}"));
    }

    /// Something that must not be.
    #[allow(clippy::print_stdout, reason = "the journal is what a person reads")]
    pub fn violation(&self, words: impl Display) {
        println!("{:8.2}  VIOLATION {words}", self.begin.elapsed().as_secs_f64());
        self.kept.lock().violations.push(words.to_string());
    }

    /// What must not have been.
    pub fn violations(&self) -> Vec<String> {
        self.kept.lock().violations.clone()
    }

    /// How many operations and faults there were.
    pub fn totals(&self) -> (u32, u32) {
        let kept = self.kept.lock();
        (kept.operations.values().sum(), kept.faults.values().sum())
    }

    /// Counts by kind, in one line each.
    pub fn summary(&self) -> String {
        let kept = self.kept.lock();
        let list = |counts: &BTreeMap<String, u32>| {
            let words = counts.iter().map(|(name, count)| format!("{name} {count}"));
            words.collect::<Vec<_>>().join(", ")
        };
        let total = |counts: &BTreeMap<String, u32>| counts.values().sum::<u32>();
        format!(
            "{} operations: {}\n{} faults: {}",
            total(&kept.operations),
            list(&kept.operations),
            total(&kept.faults),
            list(&kept.faults)
        )
    }
}
