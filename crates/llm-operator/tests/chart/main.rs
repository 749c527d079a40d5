//! The Helm chart `helm-charts/llm-operator/`: rendered and compared, and installed by the real Helm on the local cluster,
//! where the operator and the Job that removes it run as their Pods say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod bed;
mod families;
mod files;
mod life;
mod objects;
mod rendered;
mod rights;
mod same;
mod scoped;
mod values;

use std::path::PathBuf;

/// The chart's folder.
fn chart() -> PathBuf {
    common::root().join("helm-charts/llm-operator")
}
