//! Ollama: `serve` and the commands that talk to a server; a command line in, what the real program does out.

mod api;
mod ask;
mod client;
mod download;
mod duration;
mod generate;
mod host;
mod library;
mod name;
mod placement;
mod pull;
mod runner;
mod serve;
mod settings;
mod store;

use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::Value;

use crate::filesystem::FileError;
use crate::http::{Response, with_body};
use crate::process::{Context, Exit};

pub(crate) const VERSION: &str = "0.17.4";

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    let argv = context.spec.argv.clone();
    let program = argv.first().map_or("", String::as_str);
    if program.rsplit('/').next() != Some("ollama") {
        return Exit::cannot_start(program);
    }
    let words: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve" | "start", ..] => {
            tokio::select! {
                biased;
                exit = serve::run(&context) => exit.unwrap_or_else(|message| failed(&context, &message)),
            }
        }
        words => tokio::select! {
            biased;
            () = context.stop.cancelled() => Exit::exited(143, ""),
            done = client::run(&context, words) => match done {
                Ok(()) => Exit::success(),
                Err(message) => failed(&context, &message),
            },
        },
    }
}

fn failed(context: &Context, message: &str) -> Exit {
    let line = format!("Error: {message}");
    context.log.err(&line);
    Exit::exited(1, line)
}

/// The user's home; container runtimes set it from the user's entry, `/` without one.
fn home(context: &Context) -> PathBuf {
    let default = if context.spec.files.user == 0 {
        "/root"
    } else {
        "/"
    };
    PathBuf::from(context.env("HOME").unwrap_or(default))
}

/// The content type of Ollama's own interface.
const JSON: &str = "application/json; charset=utf-8";

fn json(status: StatusCode, value: &Value) -> Response {
    with_body(status, JSON, value.to_string())
}

/// An error as Go's `os` package words it.
fn go_error(operation: &str, path: &Path, error: &FileError) -> String {
    let path = path.display();
    match error {
        FileError::ReadOnly(_) => format!("{operation} {path}: read-only file system"),
        FileError::Denied(_) => format!("{operation} {path}: permission denied"),
        FileError::NoSpace(_) => format!("write {path}: no space left on device"),
        FileError::Io { source, .. } => format!("{operation} {path}: {source}"),
    }
}

/// A line of Go's structured log.
fn journal(context: &Context, source: &str, message: &str) {
    let quoted = message.replace('"', "\\\"");
    log_line(context, "INFO", source, &format!("msg=\"{quoted}\""));
}

/// A line of it with its own fields.
fn log_line(context: &Context, level: &str, source: &str, fields: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    context
        .log
        .err(format!("time={now} level={level} source={source} {fields}"));
}
