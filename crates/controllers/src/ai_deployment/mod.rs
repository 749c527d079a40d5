//! `AIDeployment`: an engine with its models, as prem-operator declares it.
//!
//! In: a resource and the maps that it names. Out: a plan, the resource as caches and triggers see it, and its status.
//! The steps that it shares with every serving kind stand in [`crate::serving_kind`].

mod accept;
mod amounts;
mod container;
mod engine;
mod kind;
mod models;
mod resources;
mod root;
mod validate;
