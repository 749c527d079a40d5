//! The aggregated API `external.metrics.k8s.io/v1beta1`, by which horizontal Pod autoscalers read what was decided.
//!
//! In: a client, how this process is reached, and decided numbers of replicas ([`Decisions`]). Out: a TLS server for the API
//! server's front proxy, the `APIService` that leads there, and where that stands ([`Standing`]). It must not know any of our
//! kinds, nor how a number is decided. Its TLS server also tells the operator's own metrics to whoever the cluster lets read them.

mod api;
mod certificate;
mod claim;
mod decisions;
mod front_proxy;
mod keeper;
mod metrics;
mod names;
mod server;
mod service;
mod standing;
mod start;
mod tls;
mod watching;

pub use certificate::Lifetimes;
pub use claim::is_ours;
pub use decisions::{Decided, Decisions, Workload};
pub use metrics::MetricsServer;
pub use names::{API_SERVICE, KIND_LABEL, METRIC, NAME_LABEL, SERVICE, certificate_of};
pub use standing::Standing;
pub use start::{ExternalMetrics, Options, StartError};
