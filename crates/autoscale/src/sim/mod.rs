//! The simulator: request traces against a model of batching engines, scaled by the same code that the operator runs.

pub mod causal;
pub mod clairvoyant;
pub mod cluster;
pub mod contest;
mod engine;
mod meters;
pub mod policy;
pub mod report;
pub mod rng;
pub mod score;
pub mod svg;
pub mod trace;
pub mod workload;

pub use engine::{Outcome, Replica};
pub use meters::{Engine, Meters};
pub use workload::{Shape, Workload};
