//! Weights that outlive Pods, claims and who may share them, sources, and the GPUs that models ask for: on real claims of
//! the real control plane, bound by a simulated provisioner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod claims;
mod gpus;
mod place;
mod restarts;
mod sharing;
mod sources;
