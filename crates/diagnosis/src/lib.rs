//! Why a workload does not serve, in one sentence a person can act on.
//!
//! In: facts reduced from Kubernetes objects ([`facts`]), what a replica asks for ([`GpuNeed`]) and a view of the
//! cluster ([`Surroundings`]). Out: an [`Explanation`]: a documented [`Reason`], a sentence, one word of [`State`] and
//! the number of ready replicas.
//! Must not: know a client, a clock or a custom resource. The same facts always give the same words, so that a
//! status at rest is never written again.

mod claims;
pub mod facts;
mod finding;
mod need;
mod pod;
mod reason;
mod redact;
mod refusal;
mod scheduling;
mod surroundings;
mod workload;

pub use finding::{Finding, MESSAGE_LIMIT};
pub use need::{GpuMemory, GpuNeed, GpuProduct};
pub use pod::{SCHEDULER_PATIENCE, explain as explain_pod};
pub use reason::{Reason, State, conditions_markdown};
pub use redact::shorten;
pub use surroundings::{Snapshot, Surroundings};
pub use workload::{Explanation, Input, Progress, explain};
