//! `LLMDeployment`: runs an `LLMModel`.
//!
//! In: the key of a resource. Out: its children as asked for, and a status that explains itself. The steps stand in
//! files of their own: dereference -> validate -> plan -> build -> apply -> observe -> status.

pub mod accept;
pub mod apply;
mod expecting;
pub mod observe;
pub mod reconcile;
pub mod status;
pub mod validate;
