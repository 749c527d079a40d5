//! Autoscaling that keeps a latency promise: observations and a clock value in, a number of replicas with its reasons out.
//!
//! Nothing here talks to a cluster, reads a clock or parses text. The same code runs in the operator and in [`sim`], which
//! replays request traces against a model of a batching engine.
//!
//! [`observe`] reduces scrapes to what happened, [`estimate`] learns what one replica sustains, [`forecast`] the rate to be
//! ready for, [`decide`] puts them together; [`idle`] says whether there have to be replicas at all.

pub mod decide;
pub mod estimate;
pub mod forecast;
pub mod idle;
mod num;
pub mod observe;
pub mod sim;
mod targets;

pub use decide::{Bounds, Config, Decision, Inputs, Planner, Reason};
pub use targets::Targets;
