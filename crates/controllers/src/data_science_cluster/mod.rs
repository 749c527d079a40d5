//! `DataScienceCluster`: of its components, llm-d alone.
//!
//! In: a cluster's `spec.components.llmd`. Out: the `Llmd` that it asks for, and what that says, told in the cluster's status. The
//! kind belongs to others on many clusters: where the definition is not ours, of the status only `LlmdReady` and
//! `components.llmd` are written, and everything else is kept as it is. Charts are the business of [`crate::llmd`].

pub mod cluster;
pub mod component;
pub mod desired;
pub mod judge;
pub mod memory;
pub mod reasons;
pub mod reconcile;
pub mod status;
pub mod watch;
pub mod writer;

/// Annotation by which Open Data Hub marks what a cluster manages.
pub const MANAGEMENT_STATE: &str = "component.opendatahub.io/management-state";
/// The component's word for "deploy it".
pub const MANAGED: &str = "Managed";
/// The component's word for "uninstall it".
pub const REMOVED: &str = "Removed";
