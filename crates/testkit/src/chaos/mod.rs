//! A day of faults: resources of all kinds under a real control plane, thousands of operations, and all that can fail.
//!
//! In: a seed and sizes ([`Options`]). Out: a journal on standard output and a [`Verdict`]. In rounds: faults and
//! operations side by side, then everything is healed, has to come right by itself, and is looked at. It must not help
//! the operator: nothing is repaired but what was broken on purpose.

mod declared;
mod desk;
mod dice;
mod fault;
mod inject;
mod invariants;
mod journal;
mod kinds;
mod operate;
mod options;
mod oracle;
mod plan;
mod replica;
mod rest;
mod run;
mod stage;
mod verdict;
mod words;
mod world;

pub use options::Options;
pub use plan::Sizes;
pub use run::run;
pub use verdict::Verdict;
