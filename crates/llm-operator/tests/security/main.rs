//! What model Pods and the operator may do: docs/security.md, line by line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod bases;
mod evaluator;
mod hostile;
mod levels;
mod network;
mod pods;
mod prem;
mod reach;
mod rights;
mod scene;
mod threats;
