//! `local-cluster`: one command that gives a person a Kubernetes cluster on this machine, and one that takes it away.
//!
//! In: a command line. Out: a cluster in the background, and what to type to use it.

mod hardware;
mod home;
mod serve;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use hardware::Machine;
use home::{Home, HomeError};

/// How long a cluster may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A Kubernetes cluster on this machine: real etcd, API server, controllers and scheduler; simulated GPU nodes.
#[derive(Debug, Parser)]
#[command(name = "local-cluster")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the cluster, or say how to use it when it runs already.
    Up(UpArgs),
    /// Stop the cluster and remove its files.
    Down(DownArgs),
}

#[derive(Debug, Args)]
struct UpArgs {
    /// Where the cluster keeps its files. Started there again, it has the same objects.
    #[arg(long, default_value = ".local-cluster")]
    dir: PathBuf,
    /// The simulated nodes, comma separated: h100, a100, l4 (with `:GPUS`, 8 unless given) or cpu.
    #[arg(long, value_delimiter = ',', value_parser = hardware::machine, default_value = "h100:8,h100:8")]
    nodes: Vec<Machine>,
    /// How many times faster than real models load. Real time is 1; answers always take real time.
    #[arg(long, default_value_t = 10.0, value_parser = load_speed)]
    load_speed: f64,
    /// Stay in the foreground until Ctrl-C.
    #[arg(long)]
    foreground: bool,
}

#[derive(Debug, Args)]
struct DownArgs {
    /// The directory given to `up`.
    #[arg(long, default_value = ".local-cluster")]
    dir: PathBuf,
    /// Keep the files: the next `up` goes on where this cluster stopped.
    #[arg(long)]
    keep: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Cluster(#[from] testkit::ClusterError),
    #[error("cannot {what}: {source}")]
    Io {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("the cluster did not start; the end of {}:\n{log}", path.display())]
    NotStarted { path: PathBuf, log: String },
    #[error("the cluster with process id {pid} still runs after {} s: stop it with `kill -9 {pid}`", STOP_LIMIT.as_secs())]
    StillRuns { pid: String },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::up(&args),
        Command::Down(args) => down(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load_speed(text: &str) -> Result<f64, String> {
    let speed: Option<f64> = text.parse().ok();
    speed
        .filter(|speed| speed.is_finite() && *speed > 0.0)
        .ok_or_else(|| "not a number above 0".to_owned())
}

fn down(args: &DownArgs) -> Result<(), CommandError> {
    let Some(home) = Home::find(&args.dir)? else {
        println!("no cluster in {}", args.dir.display());
        return Ok(());
    };
    if home.is_running()? {
        let pid = home.stop(STOP_LIMIT)?;
        if home.is_running()? {
            return Err(CommandError::StillRuns { pid });
        }
        println!("the cluster in {} has stopped", home.path().display());
    } else {
        println!("no cluster runs in {}", home.path().display());
    }
    if !args.keep {
        home.remove()?;
    }
    Ok(())
}
