//! `DataScienceCluster` on the real control plane: the `Llmd` that it asks for, and the status that it shares with others.
//!
//! What becomes of an `Llmd` is tested in `llmd`; here nothing is installed and no Helm needed, but for one test of the whole way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod bed;
mod charts;
mod foreign;
mod life;
mod rest;
mod rivals;

#[allow(dead_code, reason = "one test uses its part")]
#[path = "../llmd/bed.rs"]
mod llmd;
