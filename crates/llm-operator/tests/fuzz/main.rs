//! Specs that nobody would write, and some that somebody might: through the pure pipeline and through real admission.
//!
//! They are made from the definitions' own schemas, so a new field is covered from its first day.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod admission;
mod details;
mod generate;
mod pipeline;
mod prem;
mod prem_pipeline;
mod rest;
mod words;
