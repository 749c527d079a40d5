//! What a release should be. Plain data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Secret;

/// Name and namespace of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName {
    /// Namespace, also of every object that says none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// What a release should be, but for its chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseSpec {
    /// Name and namespace.
    pub name: ReleaseName,
    /// All values that are not the chart's own: an object.
    pub values: Value,
    /// Texts among the values that came from Secrets: no message of Helm's shows them.
    pub secrets: Vec<Secret>,
    /// Labels of the release's Secret, by which we know it as ours.
    pub release_labels: BTreeMap<String, String>,
    /// Labels of every object and of every Pod template, put on after rendering.
    pub object_labels: BTreeMap<String, String>,
}
