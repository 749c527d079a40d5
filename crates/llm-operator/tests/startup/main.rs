//! How the operator starts: with what it is given, and with what is missing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod command_line;
mod definitions;
mod namespaces;
mod optional;
mod rights;
