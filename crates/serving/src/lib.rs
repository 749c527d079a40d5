//! From a wish to serve a model to Kubernetes objects, without a cluster.
//!
//! In: a [`request::ServingRequest`]. Out: a [`plan::ServingPlan`], and from it [`build::Children`].
//! It must not know a client, a clock, an async runtime, or a custom resource.
//!
//! ```text
//! ServingRequest --ServingPlan::new--> ServingPlan --build--> Children
//!                  engine, storage,                 one file per
//!                  placement, security              Kubernetes kind
//! ```

pub mod build;
pub mod catalogue;
mod digest;
pub mod engine;
pub mod field_error;
pub mod fit;
pub mod gpu;
pub mod labels;
pub mod load_time;
pub mod plan;
pub mod quantity;
pub mod request;
pub mod sizing;
pub mod source;
pub mod template;

pub use build::{Children, build};
pub use field_error::FieldError;
pub use plan::ServingPlan;
pub use quantity::Quantity;
pub use request::ServingRequest;
