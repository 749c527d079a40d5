//! `AIModelMap` on a real control plane: its ConfigMap, who refers to it, and what its status says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod files;
mod references;
mod seen;
