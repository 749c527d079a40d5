//! `AIDeployment` and `AIModelMap` on a real control plane: engines, models, children, status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod engines;
mod seen;
