//! What a watch cache keeps of a revision to judge its state by. Plain data.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::{Status, unlock};
use crate::{ReleaseName, Version};

/// One revision of a release, without what was rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseHead {
    /// Name and namespace.
    pub name: ReleaseName,
    /// Counts up from 1.
    pub revision: u32,
    /// Status by the Secret's payload, as Helm reads it.
    pub status: Status,
    /// `name` of the chart's `Chart.yaml`.
    pub chart: String,
    /// `version` of it.
    pub version: Version,
    /// [`values_digest`](super::values_digest) over the values that were given beside the chart's own.
    pub values_digest: String,
    /// What Helm says of it: when it failed, the chart's, a hook's or the API server's own error.
    pub description: String,
    /// When this revision was begun.
    pub last_deployed: Option<Timestamp>,
    /// The revision that this one went back to.
    pub rollback_of: Option<u32>,
    /// The release's own labels (`helm --labels`), without Helm's.
    pub labels: BTreeMap<String, String>,
    /// The Secret's uid: tells a revision from another of the same number after a reinstallation.
    pub uid: String,
}

impl ReleaseHead {
    /// Whether it carries all of these labels.
    pub fn is_ours(&self, labels: &BTreeMap<String, String>) -> bool {
        labels
            .iter()
            .all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// Whether it is `failed` because Helm was stopped or killed, which says nothing of the chart.
    pub fn was_interrupted(&self) -> bool {
        let cut_short =
            self.description.starts_with(unlock::PREFIX) || self.description.ends_with("context canceled");
        self.status == Status::Failed && cut_short
    }

    /// Whether it was in the cluster as a whole at some time. Helm marks also failed revisions as superseded when a rollback of them
    /// fails, but leaves their description.
    pub fn was_good(&self) -> bool {
        match self.status {
            Status::Deployed => true,
            Status::Superseded => !self.tells_failure(),
            _ => false,
        }
    }

    /// The texts are those of Helm's `pkg/action` and our own.
    fn tells_failure(&self) -> bool {
        let by_helm = ["Upgrade \"", "Release \"", "Rollback \""]
            .iter()
            .any(|start| self.description.starts_with(start));
        self.description.starts_with(unlock::PREFIX) || (by_helm && self.description.contains("\" failed: "))
    }
}
