//! Why does it not serve? Every cause that the documentation names, made on the real control plane: the reason, the word
//! of state, the sentence with its numbers and its way out, one Event, and Ready again once the cause is gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals are written where they are used"
)]

#[path = "../common/mod.rs"]
mod common;

mod case;
mod claims;
mod crashes;
mod creation;
mod gpus;
mod images;
mod nodes;
mod placement;
mod prem;
mod probes;
mod references;
mod truth;
