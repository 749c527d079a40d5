//! The kinds that name a model of the catalogue at the API server, before any operator sees them: how their definitions present
//! themselves, what is taken, and what is refused in which words. No operator runs here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;

mod definitions;
mod desk;
mod nulls;
mod options;
mod promises;
mod refused;
mod shown;
