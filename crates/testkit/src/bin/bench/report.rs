//! The tables. In: runs and bars as they come. Out: plain text on standard output, at the end.

use std::fmt::Write;

use crate::{
    bars::Bar,
    run::{Run, count},
    subject::Which,
};

/// What is printed at the end.
#[derive(Debug, Default)]
pub struct Report {
    text: String,
    bars: Vec<Bar>,
}

impl Report {
    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    /// A line as it is.
    pub fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A bar; shown at the end.
    pub fn bar(&mut self, bar: Bar) {
        self.bars.push(bar);
    }

    /// The table of runs; `until` says what was waited for.
    pub fn runs(&mut self, runs: &[Run], until: &str) {
        self.line(&format!(
            "{:>5}  {:<14} {:>9}  {:>8} {:>8}  {:>10}  {:>7} {:>9}  {:>7} {:>7}  {:>9}",
            "N",
            "subject",
            until,
            "p50 ms",
            "p99 ms",
            "writes/res",
            "CPU s",
            "CPU ms/res",
            "peak MB",
            "rest MB",
            "API CPU s"
        ));
        for run in runs {
            let line = format!(
                "{:>5}  {:<14} {:>7.2} s  {:>8.0} {:>8.0}  {:>10.3}  {:>7.2} {:>10.2}  {:>7.1} {:>7.1}  {:>9.1}",
                run.size,
                run.which,
                run.seconds,
                run.p50,
                run.p99,
                count(run.writes()) / count(run.size),
                run.cpu,
                run.cpu_ms_per_resource(),
                run.peak_mb,
                run.resident_mb,
                run.plane_cpu,
            );
            self.line(&line);
        }
    }

    /// Writes by verb and resource of both subjects at one size.
    pub fn writes(&mut self, operator: &Run, minimal: &Run) {
        self.line(&format!(
            "writes per resource at {}, and the floor (the minimal client's):",
            operator.size
        ));
        let mut keys: Vec<_> = operator.writes.keys().chain(minimal.writes.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let per = |run: &Run| count(run.writes.get(key).copied().unwrap_or(0)) / count(run.size);
            let mut line = String::new();
            let (verb, resource) = key;
            // Writing to a String cannot fail.
            let _ = write!(line, "  {verb:<7} {resource:<24}");
            let _ = write!(
                line,
                " {} {:.3}, floor {:.3}",
                Which::Operator,
                per(operator),
                per(minimal)
            );
            self.line(&line);
        }
        self.line(&format!(
            "reconciles per resource, its model's included: {:.2}",
            count(operator.reconciles) / count(operator.size)
        ));
    }

    /// Prints everything.
    pub fn print(&self) {
        println!("{}\n", self.text.trim_end());
        for bar in &self.bars {
            println!("{}", bar.line());
        }
        let over = self.bars.iter().filter(|bar| !bar.holds()).count();
        println!("\n{} of {} bars hold", self.bars.len() - over, self.bars.len());
    }
}
