//! What is written: pages, alerts, dashboards and the README's commands, held against the repository. No cluster runs here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod documents;
mod install_kind;
mod links;
mod monitoring;
mod pages;
mod promql;
mod sizing;
mod two_commands;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// A file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the Makefile has a target of this name.
fn has_target(name: &str) -> bool {
    let rule = format!("{name}:");
    read("Makefile").lines().any(|line| line.starts_with(&rule))
}
