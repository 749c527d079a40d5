//! Policies: who decides how many replicas there are.

mod fixed;
mod ours;
mod synced;

pub use fixed::{Fixed, Schedule};
pub use ours::Ours;
pub use synced::Synced;

use crate::observe::Snapshot;

/// Says at every scrape how many replicas should exist. A policy that cannot see the future uses nothing but the snapshots.
pub trait Policy {
    /// Replicas that should exist now, starting ones included.
    fn desired(&mut self, snapshot: &Snapshot) -> u32;
}
