//! What we ask of Helm. The CLI stands behind it; tests of others may put something else there.

use std::{path::PathBuf, time::Duration};

use futures::future::BoxFuture;

use crate::{Chart, HelmError, ReleaseName, ReleaseSpec};

/// A chart on this machine's disk, which does not change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalChart {
    /// Absolute path of the archive or directory.
    pub path: PathBuf,
    /// `name` of its `Chart.yaml`.
    pub name: String,
    /// `version` of its `Chart.yaml`, as it stands there.
    pub version: String,
    /// Hash over its content: the same for the same files.
    pub digest: String,
}

/// What a chart makes of its values, as it would be applied: labels and namespaces included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// All documents, hooks included, in Helm's order.
    pub manifest: String,
}

/// A change of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The first revision.
    Install {
        /// The chart.
        chart: LocalChart,
        /// What it should be.
        spec: ReleaseSpec,
    },
    /// A new revision. Waits until its objects serve; one that does not get there in time has failed.
    Upgrade {
        /// The chart.
        chart: LocalChart,
        /// What it should be.
        spec: ReleaseSpec,
    },
    /// Back to an old revision, as a new one.
    Rollback {
        /// The revision to go back to.
        revision: u32,
    },
    /// Removes the release with its objects and its history. A release that does not exist is no error.
    Uninstall,
}

/// Helm.
///
/// Every call is bounded in time, ends with the process that made it (dropping the future kills what runs), and shows no credential.
pub trait Helm: Send + Sync {
    /// The chart on our disk: taken from there, or fetched.
    fn pull<'a>(&'a self, chart: &'a Chart) -> BoxFuture<'a, Result<LocalChart, HelmError>>;

    /// What the chart makes of the values, after these have been checked against its schema. Touches no cluster, but for asking
    /// which versions it serves.
    fn render<'a>(
        &'a self,
        chart: &'a LocalChart,
        spec: &'a ReleaseSpec,
    ) -> BoxFuture<'a, Result<Rendered, HelmError>>;

    /// Changes a release.
    fn run<'a>(
        &'a self,
        release: &'a ReleaseName,
        operation: &'a Operation,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), HelmError>>;

    /// Waits until no process is left. Whoever gave up calls and is about to end, or to hand the releases on to another process,
    /// waits for this: Helm then still notes in the release that it was cut short, instead of leaving it locked.
    fn settled(&self) -> BoxFuture<'_, ()>;
}
