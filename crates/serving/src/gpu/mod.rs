//! GPUs: which there are ([`catalogue`]) and how a wish becomes a rule for the scheduler ([`request`]).

pub mod catalogue;
pub mod request;

pub use catalogue::{Generation, Gpu};
pub use request::GpuRequest;
