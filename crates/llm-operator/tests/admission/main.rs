//! What the API server itself says to a resource, before any operator sees it: what is refused and in which words, what
//! is filled in, and how the definitions present themselves to kubectl. No operator runs here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../common/mod.rs"]
mod common;

mod definitions;
mod desk;
mod required;
mod rules_of_deployments;
mod rules_of_models;
mod stored;
mod updates;
