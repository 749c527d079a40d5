//! The machinery against a real API server: what it writes, what it leaves alone, and how it recovers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod apply;
mod bed;
mod cache;
mod definitions;
mod followers;
mod lease;
mod legacy;
mod machine;
mod replaceable;
mod report;
mod server;
mod taking_over;
mod taking_over_edges;
