//! The command line without a cluster, and once with one: what is printed is what is applied.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod by_name;
mod call;
mod charts;
mod fit;
mod layout;
mod live;
mod log_file;
mod prem;
mod printing;
mod refusals;
mod render;
