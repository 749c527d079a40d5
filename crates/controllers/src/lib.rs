//! The controllers: one folder per kind, each the same way from a resource to its objects and its status.
//!
//! In: keys of changed resources. Out: applied children, statuses, Events. They build no object themselves (`serving`
//! does) and know nothing of queues, leases or watches (`reconcile` does).

pub mod caches;
pub mod context;
pub mod kinds;
pub mod llm_deployment;
pub mod llm_model;
pub mod operator;
pub mod reason;
pub mod referents;
pub mod render;
pub mod scaler;
mod triggers;
mod workload;
