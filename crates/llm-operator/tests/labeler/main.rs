//! `AutoNodeLabeler` on the real control plane: Node objects without machines, labelled, corrected and cleaned up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod admission;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod disputes;
mod going;
mod installations;
mod migration;
mod operators;
mod protected;
mod rest;
mod rights;
mod scale;
mod scene;
mod unseen;
mod whole_cluster;
