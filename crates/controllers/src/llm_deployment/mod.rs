//! `LLMDeployment`: runs an `LLMModel`.
//!
//! In: a resource and what it names. Out: a plan, and the words of its status. All steps around these are those of every
//! serving kind ([`crate::serving_kind`]).

pub mod accept;
mod kind;
pub mod validate;
