//! The controllers: one folder per kind, each the same way from a resource to its objects and its status. What all kinds
//! that serve a model have in common stands in [`serving_kind`].
//!
//! In: keys of changed resources. Out: applied children, statuses, Events. They build no object themselves (`serving`
//! does) and know nothing of queues, leases or watches (`reconcile` does).

mod ai_deployment;
mod ai_llm_model;
pub mod ai_model_map;
pub mod apply;
pub mod auto_node_labeler;
pub mod caches;
mod catalogued;
pub mod context;
pub mod data_science_cluster;
pub mod decisions;
mod dynamo_graph_deployment;
pub mod families;
pub mod finalizers;
pub mod kinds;
pub mod llm_deployment;
pub mod llm_model;
pub mod llmd;
pub mod lookup;
mod model_deployment;
mod nvidia_gpu_llm;
pub mod operator;
pub(crate) mod parsing;
pub mod promise;
pub mod reason;
pub mod referents;
pub mod render;
pub mod scaler;
pub mod scaling;
pub mod serving_kind;
mod triggers;
pub mod workload;
