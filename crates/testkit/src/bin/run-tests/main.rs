//! `make test`: builds every test program and runs several of them at a time.
//!
//! In: what `cargo test` takes to choose packages and programs. Out: one line per program as it ends, the whole output of
//! those that fail, a second run for few tests that failed, a sum; exit code 1 when a test failed twice, many did, or a
//! program did not end by itself.
//!
//! Programs on the real control plane mostly wait: for Pods, for probes, for leases. `cargo test` runs programs one after
//! the other, and other runners give each test a process, so that tests could not share a control plane.

mod again;
mod build;
mod outcome;
mod program;
mod report;

use std::{
    path::Path,
    process::ExitCode,
    sync::{Mutex, mpsc},
    thread,
    time::Instant,
};

use clap::Parser;

use crate::{outcome::Outcome, program::Program, report::Report};

/// What programs write is kept here.
const LOGS: &str = "target/test-logs";

/// Runs the test programs of the workspace, several at a time.
#[derive(Debug, Parser)]
struct Options {
    /// How many programs run at the same time
    #[arg(long, env = "TEST_JOBS", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,

    /// Leaves out tests whose names contain this; may be repeated
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,

    /// Chooses what is tested, as for `cargo test`: `-p llm-operator --test lifecycle`. Default: the workspace
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    selection: Vec<String>,
}

impl Options {
    /// As libtest takes them.
    fn filters(&self) -> Vec<String> {
        let of = |name: &String| ["--skip".to_owned(), name.clone()];
        self.skip.iter().flat_map(of).collect()
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("run-tests: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, build::BuildError> {
    let mut programs = build::programs(&options.selection)?;
    programs.sort_by_key(|program| (!program.is_long(), program.name.clone()));
    let failed = run_all(&programs, usize::from(options.jobs), &options.filters());
    let twice = again::run(&programs, failed, Path::new(LOGS));
    for program in &twice {
        println!("{program}");
    }
    let report = Report {
        programs: programs.len(),
        twice: &twice,
    };
    println!("{report}");
    Ok(report.passed())
}

/// Runs every program, `jobs` at a time, and tells of each as it ends. Out: those that failed.
fn run_all(programs: &[Program], jobs: usize, filters: &[String]) -> Vec<Outcome> {
    let started = Instant::now();
    let total = programs.len();
    let queue = Mutex::new(programs.iter());
    let (ended, outcomes) = mpsc::channel::<Outcome>();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let ended = ended.clone();
            let queue = &queue;
            scope.spawn(move || {
                while let Some(program) = next(queue) {
                    if ended.send(program.run(Path::new(LOGS), filters)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ended);
        let mut failed = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            println!("[{:>2}/{total}] {:>5.0?} {outcome}", index + 1, started.elapsed());
            if !outcome.success {
                failed.push(outcome);
            }
        }
        failed
    })
}

/// The next program to run. A worker that panicked holds no program back from the others.
fn next<'a>(queue: &Mutex<impl Iterator<Item = &'a Program>>) -> Option<&'a Program> {
    queue
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .next()
}
