//! `NvidiaGpuLlm` when things go wrong: prompts that fail, an operator that is killed, an API server that refuses, crowds.
//!
//! Each test has an operator of its own, which reaches the API server through a proxy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../gpu_llm/seen.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod seen;

mod bed;
mod kills;
mod many;
mod prompts;
mod restart;
mod writes;
