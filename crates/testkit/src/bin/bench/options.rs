//! The command line of the benchmark. In: arguments. Out: typed options.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

/// Measures the operator beside a minimal client, on real control planes of its own.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Options {
    /// Numbers of resources; each is an LLMDeployment with an LLMModel of its own
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    pub sizes: Vec<usize>,

    /// Number of nodes that ten labelers label, on a bare plane; 0 leaves that out
    #[arg(long, default_value_t = 1000)]
    pub nodes: usize,

    /// Number of resources of all kinds together, on a bare plane; 0 leaves that out
    #[arg(long, default_value_t = 1000)]
    pub mixed: usize,

    /// Which planes to measure on
    #[arg(long, value_enum, default_value_t = Plane::Both)]
    pub plane: Plane,

    /// Measures each subject this often on bare planes, in turn, and shows the medians; on the local cluster once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub repeats: u8,

    /// How long the cluster at rest is watched, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub rest: u64,

    /// The operator's executable. Default: the one beside this
    #[arg(long, value_name = "FILE")]
    pub operator: Option<PathBuf>,

    /// What else this program can be
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Options {
    /// How long the cluster at rest is watched.
    pub fn rest(&self) -> Duration {
        Duration::from_secs(self.rest)
    }

    /// The operator's executable.
    pub fn operator(&self) -> Result<PathBuf, String> {
        if let Some(path) = &self.operator {
            return Ok(path.clone());
        }
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(this.with_file_name("llm-operator"))
    }
}

/// The other programs in this executable.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Performs the writes that `<operation> <name> <uid>` lines on standard input ask for
    #[command(hide = true)]
    MinimalClient {
        /// File with the writes of each operation
        templates: PathBuf,
    },
}

/// What the subjects run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Plane {
    /// etcd and the API server alone
    Bare,
    /// Every component, and simulated nodes that run the Pods
    Local,
    /// One after the other
    Both,
}

impl Plane {
    /// Whether `plane` is to be measured on.
    pub fn includes(self, plane: Self) -> bool {
        self == plane || self == Self::Both
    }
}
