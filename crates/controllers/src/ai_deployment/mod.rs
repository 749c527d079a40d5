//! `AIDeployment`: an engine with its models.
//!
//! In: a resource and what it names. Out: what caches and triggers need to know of it.

mod root;
