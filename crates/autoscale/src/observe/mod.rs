//! What is seen of the replicas: [`Scrape`]s in a [`Snapshot`], and what happened between two of them.

mod fleet;
mod histogram;
mod scrape;

pub use fleet::{Activity, Fleet, Interval};
pub use histogram::Histogram;
pub use scrape::{Phase, Replica, Scrape, Snapshot};
