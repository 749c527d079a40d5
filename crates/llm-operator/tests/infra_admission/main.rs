//! `NvidiaGpuLlm` at the API server, before any operator sees it: how the definition presents itself, what is filled in,
//! what is taken by every verb of kubectl, and what is refused in which words. No operator runs here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod definition;
mod desk;
mod examples;
mod models;
mod nulls;
mod refused;
mod required;
mod shown;
mod stored;
mod updates;
