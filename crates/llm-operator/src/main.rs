//! `llm-operator`: the command line and the wiring; what is decided is decided in the other crates.

mod charts;
mod cli;
mod cluster_version;
mod crds;
mod fields;
mod fit;
mod health;
mod install;
mod json_line;
mod log_file;
mod logging;
mod metrics_api;
mod models;
mod readiness;
mod release;
mod render;
mod render_charts;
mod run;
mod scope;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => {
            if let Err(message) = args.check() {
                Cli::command()
                    .error(clap::error::ErrorKind::ValueValidation, message)
                    .exit();
            }
            return run::main(*args);
        }
        Command::HelmGuard(args) => return charts::guard(&args),
        Command::PostRender(args) => return charts::post_render(&args),
        Command::Crds(args) => crds::main(&args),
        Command::Render(args) => render::main(&args),
        Command::Fit(args) => fit::main(&args),
        Command::Models(args) => models::main(&args),
        Command::Release(args) => release::main(&args),
        Command::Version => print(&format!("llm-operator {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "llm-operator", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::FieldsDoc(args) => fields::main(&args),
        Command::ConditionsDoc => print(&controllers::reason::conditions_page()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("llm-operator: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output; a reader that went away early, such as `head`, is no error.
pub(crate) fn print(text: &str) -> Result<(), String> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(()),
    }
}
