//! `Llmd` on the real control plane, with the real Helm CLI and charts shaped like llm-d's.
//!
//! There is one `Llmd` per cluster, so every test has a cluster of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod bed;
mod documents;
mod edits;
mod endings;
mod failures;
mod faults;
mod kills;
mod rest;
mod sources;
