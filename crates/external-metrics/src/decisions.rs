//! What is served: the numbers that were decided, as the rest of the operator hands them in.

use jiff::Timestamp;

/// A number that was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Replicas that the workload shall have.
    pub replicas: i64,
    /// When that was decided.
    pub at: Timestamp,
}

/// One workload with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `<kind in lower case>.<group>` of its resource.
    pub kind_label: String,
    /// The resource's name.
    pub name: String,
    /// The number.
    pub decided: Decided,
}

/// Where decided numbers are found. Asked for every request and never for long: it must answer from memory.
///
/// What has not been decided is not told: an autoscaler that gets no number leaves the replicas as they are.
pub trait Decisions: Send + Sync + 'static {
    /// The number of one workload; `None` when there is no such workload or nothing is decided for it.
    fn replicas(&self, namespace: &str, kind_label: &str, name: &str) -> Option<Decided>;

    /// All workloads of a namespace for which something is decided, in any order.
    fn all(&self, namespace: &str) -> Vec<Workload>;
}
