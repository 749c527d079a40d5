//! `make bench`: what the operator costs, beside a minimal client that performs only the writes that must be.
//!
//! In: sizes and planes. Out: tables, ratios within one run, and a PASS or OVER line for each bar. It must not tune
//! anything for the operator: it runs as shipped, under its shipped service account.

mod bare;
mod bars;
mod bed;
mod cost;
mod feed;
mod journal;
mod labels;
mod local;
mod minimal;
mod mixed;
mod options;
mod report;
mod run;
mod still;
mod subject;
mod templates;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options, Plane};
use report::Report;

fn main() -> ExitCode {
    let options = Options::parse();
    // Two threads, as the operator has.
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("threads cannot be started: {error}")),
    };
    let outcome = runtime.block_on(async {
        match &options.command {
            Some(Command::MinimalClient { templates }) => minimal::main(templates).await,
            None => tokio::select! {
                outcome = bench(&options) => outcome,
                _ = tokio::signal::ctrl_c() => Err("stopped".to_owned()),
            },
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

async fn bench(options: &Options) -> Result<(), String> {
    let mut report = Report::default();
    if options.plane.includes(Plane::Bare) {
        bare::measure(options, &mut report).await?;
        labels::measure(options, &mut report).await?;
        mixed::measure(options, &mut report).await?;
    }
    if options.plane.includes(Plane::Local) {
        local::measure(options, &mut report).await?;
    }
    report.print();
    Ok(())
}

fn fail(message: &str) -> ExitCode {
    eprintln!("bench: {message}");
    ExitCode::FAILURE
}
