//! The prem family at the API server, before any operator sees it: what prem-operator's users write is taken by every
//! verb of kubectl and kept as it was written; what could never run is refused in plain words. No operator runs here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod definitions;
mod desk;
mod examples;
mod lenient;
mod merging;
mod refused_deployments;
mod refused_maps;
