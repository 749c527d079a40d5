//! Policies: who decides how many replicas there are.

mod fixed;
mod hpa;
mod kpa;
mod load;
mod ours;
mod saturation;
mod synced;

pub use fixed::{Fixed, Schedule};
pub use hpa::Hpa;
pub use kpa::Kpa;
pub use load::Load;
pub use ours::Ours;
pub use saturation::Saturation;
pub use synced::Synced;

use crate::observe::Snapshot;

/// Says at every scrape how many replicas should exist. A policy that cannot see the future uses nothing but the snapshots.
pub trait Policy {
    /// Replicas that should exist now, starting ones included.
    fn desired(&mut self, snapshot: &Snapshot) -> u32;
}
