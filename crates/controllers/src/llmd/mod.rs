//! `Llmd`: llm-d's three charts as Helm releases in one namespace.
//!
//! One reconcile parses what is asked for, has the charts fetched and rendered, compares what Helm has recorded with what is
//! wanted, and begins at most one step. Whatever may take long, fetching charts and Helm's own operations, runs beside the
//! reconciles as a [`job::Job`] and wakes the resource when it ends; a reconcile itself only looks, decides and writes.
//!
//! What a release should be, and what to do about one that is not, is told by crate `helm`; which charts there are and how they
//! fit together is told here, in [`component`] and [`wiring`].

pub mod attempts;
pub mod component;
pub mod corrections;
pub mod dependencies;
pub mod desk;
pub mod job;
pub mod judge;
pub mod kinds;
pub mod leaving;
pub mod leftovers;
pub mod namespace;
pub mod objects;
pub mod operate;
pub mod pods;
pub mod preparation;
pub mod reasons;
pub mod reconcile;
pub mod referents;
pub mod releases;
pub mod request;
pub mod status;
pub mod survey;
pub mod values;
pub mod verdicts;
pub mod wiring;

use std::collections::BTreeMap;

use crate::finalizers::LLMD as FINALIZER;

/// The only name of an `Llmd`.
pub const NAME: &str = "default-llm-d";
/// Annotation whose new value asks for another try.
pub const RETRY: &str = "llm-operator.io/retry";
/// Label of everything that belongs to llm-d.
pub const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "llm-d");

/// Labels by which a release is known as an `Llmd`'s.
pub fn release_labels() -> BTreeMap<String, String> {
    [
        ("llm-operator.io/kind", "llmd.components.platform.opendatahub.io"),
        ("llm-operator.io/name", NAME),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// Labels of every object of a release.
pub fn object_labels() -> BTreeMap<String, String> {
    BTreeMap::from([(PART_OF.0.to_owned(), PART_OF.1.to_owned())])
}
