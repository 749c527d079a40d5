//! `NvidiaGpuLlm` on the real control plane, on simulated nodes with simulated Ollama.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod actions;
mod deletion;
mod documents;
mod ending;
mod healing;
mod lifecycle;
mod prerequisites;
mod scene;
mod seen;
mod updates;
