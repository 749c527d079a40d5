//! From every earlier release to this version: what it made goes on as it is, and no Pod restarts.
//!
//! `releases/<version>/manifests` is what people wrote, `objects` what that release made of it (`make release-fixtures`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod accepted;
mod as_of;
mod compare;
mod compare_cases;
mod first_family;
mod pods;
mod restarts;
mod running;
