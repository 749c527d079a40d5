//! Where an engine's output goes: lines in, whatever the owner's function makes of them out.
//! It must not format, filter or buffer.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

type Sink = dyn Fn(Stream, &str) + Send + Sync;

/// Takes an engine's output line by line (without the newline). Cheap to clone.
#[derive(Clone)]
pub struct LogSink(Arc<Sink>);

impl LogSink {
    /// A sink that calls `write` for every line; `write` must not block.
    pub fn new(write: impl Fn(Stream, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The sink of a program: this process's own stdout and stderr.
    pub fn console() -> Self {
        use std::io::Write as _;
        Self::new(|stream, line| {
            // A closed pipe must not end a simulated engine: the real ones go on as well.
            let _ = match stream {
                Stream::Stdout => writeln!(std::io::stdout(), "{line}"),
                Stream::Stderr => writeln!(std::io::stderr(), "{line}"),
            };
        })
    }

    /// A sink that keeps every line, and the lines.
    pub fn collect() -> (Self, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        (Self::new(move |_, line| kept.lock().push(line.to_owned())), lines)
    }

    /// Writes `text` to standard output, one call per line.
    pub fn out(&self, text: impl AsRef<str>) {
        text.as_ref()
            .lines()
            .for_each(|line| (self.0)(Stream::Stdout, line));
    }

    /// Writes `text` to standard error, one call per line.
    pub fn err(&self, text: impl AsRef<str>) {
        text.as_ref()
            .lines()
            .for_each(|line| (self.0)(Stream::Stderr, line));
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}
