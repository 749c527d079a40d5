//! Whether the cluster's objects are still what a release made of them.
//!
//! In: an object of the manifest and what is observed of it. Out: what differs, by path, without values (they may be secret). What the
//! manifest does not say is not compared: defaults, other people's additions, status. A finding may be wrong where the API server writes
//! a value in another way than the manifest; the caller confirms it by a dry run. It must not miss what a user can see.

mod compare;
mod finding;
mod lists;
mod quantity;
mod rules;
mod scalars;
#[cfg(test)]
mod tests;

pub use compare::compare;
pub use finding::{Difference, Finding};
pub use rules::{Ignore, MANAGED_ANNOTATION};
