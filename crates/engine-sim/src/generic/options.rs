//! What a test can ask of a generic server. Plain data; it must not act.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a generic server behaves; the default loads at once and serves until stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenericOptions {
    /// Port when neither `$PORT` nor `--port` or `-p` says one; 8080 when 0.
    pub port: u16,
    /// Seconds (of simulated time) before the port opens.
    pub load_seconds: f64,
    /// Ends by itself some time after loading.
    pub exit_after: Option<End>,
    /// Paths that answer 500.
    pub failing_paths: Vec<String>,
    /// Memory in use, in bytes: above the limit the process is killed.
    pub memory: u64,
    /// Files written at start; a refused write ends the process with code 1.
    pub writes: Vec<Write>,
    /// Lines logged at start.
    pub log: Vec<LogLine>,
    /// Name of the served model; `$MODEL_NAME`, `$MODEL`, then `generic` when empty.
    pub model: String,
    /// Seconds that SIGTERM waits for requests under way; 0 cuts them.
    pub drain_seconds: f64,
    /// A program for terminals: it opens no port and waits for its terminal until it is stopped.
    pub terminal: bool,
    /// It is a website beside the model server's paths.
    pub site: Option<Box<Site>>,
    /// SIGTERM is not handled: only a kill ends it.
    pub ignores_stop: bool,
}

/// A website of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// The last `.js` or `.ts` word of the command line must be a file, seen from this folder: an interpreter's image.
    pub script_in: Option<PathBuf>,
    /// What every path answers that is not known otherwise.
    pub answer: String,
}

/// A planned end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Seconds (of simulated time) after loading.
    pub seconds: f64,
    /// Exit code.
    pub code: i32,
    /// Last line on standard error.
    pub message: String,
}

/// A file written at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Path in the container.
    pub path: PathBuf,
    /// Content.
    pub content: String,
}

/// A line of log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLine {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}
