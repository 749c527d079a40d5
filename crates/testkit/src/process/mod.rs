//! Child processes that cannot outlive their owner.
//!
//! In: a program to run. Out: a [`Supervised`] child with a log file, and [`TemporaryDirectory`]. Both hang on a pipe:
//! when the owner ends in whatever way, `kill -9` included, the pipe closes and a small shell does the cleaning.
//! Must not know what it runs.

mod directory;
mod supervised;
mod tail;

pub use directory::TemporaryDirectory;
pub use supervised::{Program, Signal, Supervised};
pub use tail::last_lines;

use std::path::PathBuf;

/// A process could not be started, signalled or watched.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The operating system refused to start the supervising shell.
    #[error("cannot start {name}: {source}")]
    Start {
        /// The name given to the process.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The process ended and cannot be signalled any more.
    #[error("{name} has already ended")]
    Ended {
        /// The name given to the process.
        name: String,
    },
    /// A file or directory of the process cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
