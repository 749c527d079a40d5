//! From what the replicas say to how many there should be: the loop around the pure planner of `autoscale`.
//!
//! In: a [`Subject`] per resource that promises something, its Pods, scrapes. Out: one [`Decided`] per resource on the [`Board`],
//! costs on Pods that are to go, figures. It must not scale anything itself, nor write a status: who is concerned is woken, and its
//! reconcile reads the board.
//!
//! [`Subjects`] is what reconciles talk to, [`Scaling`] is the loop. Everything that it asks is pure: [`snapshot`], [`bounds`], [`planner`], `rest`, [`status`], [`costs`].

pub mod board;
pub mod bounds;
mod clocks;
pub mod costs;
pub mod decided;
pub mod expectation;
mod figures;
mod latency;
mod lives;
mod pace;
pub mod planner;
pub mod reasons;
mod rest;
mod room;
mod run;
pub mod scale;
pub mod snapshot;
pub mod status;
mod subject;
mod subjects;
#[cfg(test)]
pub(crate) mod test_bed;
pub mod tolerance;
pub mod transport;
pub mod wake;
mod world;

pub use board::Board;
pub use clocks::Clocks;
pub use costs::{CostWriter, CostWrites};
pub use decided::{Decided, Zero};
pub use expectation::Expectation;
pub use figures::Figures;
pub use latency::Latency;
pub use pace::Pace;
pub use run::Scaling;
pub use subject::{MetricsSource, Subject};
pub use subjects::Subjects;
pub use tolerance::Tolerance;
pub use transport::MetricsApi;
pub use world::{Room, World};
