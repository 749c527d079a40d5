//! Simulated nodes behind a real scheduler and controller-manager: what kubelet would do is done.

// Helpers outside of test functions fail a test as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bare;
mod bed;
mod commands;
mod downloads;
mod ending;
mod lease;
mod missing;
mod ollama;
mod running;
mod stateful;
mod storage;
