//! Pieces that the kinds of every family use: small types and schema helpers.

pub mod definition;
pub mod engine;
pub mod schema;
pub mod state;
pub mod storage;

pub use engine::{Engine, GpuRequirement, ImagePullPolicy, ModelSource, Probes, Resources};
pub use state::State;
pub use storage::{AccessMode, WeightsStorage};
