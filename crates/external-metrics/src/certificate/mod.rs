//! The serving certificate: made here, shared by all replicas of the operator in a Secret, changed before it ends.

pub(crate) mod make;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod stored;

pub use plan::Lifetimes;
