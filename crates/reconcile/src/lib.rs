//! The shared machinery of every controller: watch caches, a work queue with back-off per object, server-side
//! apply and prune without a needless write, conditions, status writes, events, the leader lease and metrics.
//!
//! In: a client, what to watch, desired objects. Out: API writes and wake-ups for controllers.
//! It must not know any of our kinds; everything kind-specific arrives as a type parameter or a closure.

pub mod apply;
pub mod cache;
pub mod client;
pub mod conditions;
pub mod events;
pub mod fence;
pub mod finalizer;
pub mod jitter;
pub mod key;
pub mod labels;
pub mod lease;
pub mod metrics;
pub mod queue;
pub mod rights;
pub mod runner;
pub mod status;

pub use apply::{Applied, Applier, ApplyError, ChangeMade, DesiredObject, PrunePolicy};
pub use cache::{CacheSpec, Change, Child, Namespaces, RawObject, WatchCache, Watches};
pub use events::{EventKind, EventRecorder, NewEvent};
pub use fence::Fence;
pub use key::ObjectKey;
pub use labels::LabelWriter;
pub use metrics::Metrics;
pub use runner::WorkQueue;
pub use runner::{Failure, Outcome, Reconciler, Runner};
pub use status::{StatusTarget, StatusWriter};

/// Field manager of every write of this operator.
pub const FIELD_MANAGER: &str = "llm-operator";
/// Label and value that mark the objects we applied.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "llm-operator");
/// Label that selects the objects we applied; caches of children watch only these.
pub const MANAGED_BY_SELECTOR: &str = "app.kubernetes.io/managed-by=llm-operator";
