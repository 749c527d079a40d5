//! Why a workload does not serve, in one sentence a person can act on.
//!
//! In: facts reduced from Kubernetes objects ([`facts`]), what a replica asks for ([`GpuNeed`]) and a view of the
//! cluster ([`Surroundings`]). Out: an `Explanation`: a documented [`Reason`], a sentence, one word of [`State`] and
//! the number of ready replicas.
//! Must not: know a client, a clock or a custom resource. The same facts always give the same words, so that a
//! status at rest is never written again.

pub mod facts;
mod need;
mod reason;
mod surroundings;

pub use need::{GpuMemory, GpuNeed, GpuProduct};
pub use reason::{Reason, State, conditions_markdown};
pub use surroundings::{Snapshot, Surroundings};
