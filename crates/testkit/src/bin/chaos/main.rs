//! `make chaos`: a day of faults on a control plane of its own. In: the command line. Out: the journal, a summary, a
//! verdict, and an exit code that says the same.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use testkit::chaos::{Options, Sizes, run};

/// Operations and faults on resources of all kinds; everything must come right by itself
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// The same seed gives the same plan; without one a new seed is chosen and printed
    #[arg(long)]
    seed: Option<u64>,
    /// Resources at the beginning
    #[arg(long, default_value_t = 300)]
    resources: u32,
    /// Operations of users, the first creations not counted
    #[arg(long, default_value_t = 2000)]
    operations: u32,
    /// Faults
    #[arg(long, default_value_t = 1000)]
    faults: u32,
    /// Faults of a round; after each round everything must come to rest
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    per_round: u32,
    /// Replicas of the operator
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    /// Seconds that everything may take to come right after a round
    #[arg(long, default_value_t = 600)]
    patience: u64,
    /// Seconds for which nothing may be written at rest
    #[arg(long, default_value_t = 20)]
    rest: u64,
    /// Minutes after which no round is begun
    #[arg(long, default_value_t = 180)]
    minutes: u64,
    /// The operator's executable. Default: the one beside this
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
}

impl Arguments {
    fn options(self) -> Result<Options, String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map(|now| now.as_secs());
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(Options {
            seed: self.seed.unwrap_or_else(|| now.unwrap_or_default()),
            sizes: Sizes {
                resources: self.resources,
                operations: self.operations,
                faults: self.faults,
                per_round: self.per_round,
            },
            operator: self
                .operator
                .unwrap_or_else(|| this.with_file_name("llm-operator")),
            root: std::env::current_dir().map_err(|error| error.to_string())?,
            replicas: usize::from(self.replicas),
            patience: Duration::from_secs(self.patience),
            rest: Duration::from_secs(self.rest),
            limit: Duration::from_secs(self.minutes * 60),
        })
    }
}

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "what a person reads")]
async fn main() -> ExitCode {
    let options = match Arguments::parse().options() {
        Ok(options) => options,
        Err(error) => return fail(&error),
    };
    tokio::select! {
        outcome = run(&options, false) => match outcome {
            Ok(verdict) => {
                println!("{verdict}");
                if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => fail(&error),
        },
        _ = tokio::signal::ctrl_c() => fail("stopped"),
    }
}

#[allow(clippy::print_stderr, reason = "what a person reads")]
fn fail(message: &str) -> ExitCode {
    eprintln!("chaos: {message}");
    ExitCode::FAILURE
}
