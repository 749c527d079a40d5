//! `make demo`: the main job, start to end, on this machine.
//!
//! In: the repository it is started in. Out: a running cluster with the operator and the examples, the answer of a
//! served model on the terminal, and with `--once` a verdict as the exit code.

mod answer;
mod by_name;
mod kubectl;
mod progress;
mod prompts;
mod states;
mod steps;

use std::process::ExitCode;

use clap::Parser;

/// Starts a local cluster and the operator, applies the examples, waits until they serve, and asks one of them.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Args {
    /// Exit after the answer, with 0 if everything served.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("threads cannot be started: {error}")),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = steps::demo(args.once) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("\ndemo: FAILED: {message}");
    ExitCode::FAILURE
}
