//! Pieces that the kinds of every family use: small types and schema helpers.

pub mod access;
pub mod catalogued_status;
pub mod definition;
pub mod engine;
pub mod pod_template;
pub mod scaling;
pub mod schema;
pub mod serving_options;
pub mod state;
pub mod storage;

pub use access::AccessSpec;
pub use catalogued_status::CataloguedStatus;
pub use engine::{Engine, GpuRequirement, ImagePullPolicy, ModelSource, Probes, Resources};
pub use pod_template::PodTemplate;
pub use scaling::{ScalingSpec, ScalingStatus, Transport};
pub use serving_options::{ServingOptions, SizingStatus};
pub use state::State;
pub use storage::{AccessMode, WeightsStorage};
