//! The life of an `AIDeployment` on a real control plane: its objects, its status, its replicas, its end; and each bug
//! of prem-operator by its number.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;

mod bugs;
mod children;
mod cleanup;
mod files;
mod names;
mod placing;
mod scaling;
mod scene;
mod seen;
mod status;
mod template;
