//! What goes wrong between the operator and the API server, and that the operator gets over it by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod crash;
mod outage;
mod undecodable;
mod watches;
mod writes;
