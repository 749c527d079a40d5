//! The Makefile as a front door: what a person types, run as they would.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod charts;
mod external_metrics;
mod kind;
mod run;
mod targets;
mod undeploy;

use std::{path::Path, process::Output};

/// `make ARGS` in the root of the repository, with these variables.
async fn make(args: &[&str], variables: &[(&str, &Path)]) -> Output {
    tokio::process::Command::new("make")
        .arg("--no-print-directory")
        .args(args)
        .envs(variables.iter().copied())
        // The make that runs the tests must not hand its own variables on.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(common::root())
        .output()
        .await
        .unwrap()
}

/// Standard output and error, one after the other.
fn text(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}
