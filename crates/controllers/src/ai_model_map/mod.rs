//! `AIModelMap`: one model as each engine needs it. It serves nothing; `AIDeployment`s refer to it.
//!
//! In: the key of a map. Out: a ConfigMap with the engines' configuration files, if it has any, and a status.

pub mod plan;
pub mod reconcile;
pub mod status;
