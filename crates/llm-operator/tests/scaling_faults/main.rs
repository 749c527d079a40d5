//! Promises in a cluster where something is amiss: another adapter, a dead operator, an API server that is away. Each test has a
//! cluster of its own, since external metrics are served for all of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../scaling/load.rs"]
#[allow(dead_code, reason = "the other program uses all of it")]
mod load;
#[path = "../scaling/look.rs"]
#[allow(dead_code, reason = "the other program uses all of it")]
mod look;

mod adapter;
mod deaths;
mod place;
mod rest;
mod tolerance;
mod zero;
