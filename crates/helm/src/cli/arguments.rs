//! Arguments of Helm.
//!
//! In: a release, a chart, files of a call. Out: the words behind `helm`. Nothing secret may stand among them: every user of
//! the machine can read them.

use std::{collections::BTreeMap, ffi::OsString, path::Path, sync::Arc, time::Duration};

use super::{files::Scratch, home::POST_RENDERER, options::Capabilities};
use crate::{HelmError, ReleaseName, ReleaseSpec, post_render::PostRenderOptions};

/// Versions in one argument: the system bounds the length of each.
const VERSIONS_PER_ARGUMENT: usize = 200;
/// The file with the post-renderer's options, in the directory of a call.
pub(super) const OPTIONS_FILE: &str = "post-render.json";

/// Words in the making.
#[derive(Default)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn new(words: &[&str]) -> Self {
        Self(words.iter().map(Into::into).collect())
    }

    pub(super) fn word(mut self, word: impl Into<OsString>) -> Self {
        self.0.push(word.into());
        self
    }

    pub(super) fn flag(self, name: &str, value: impl Into<OsString>) -> Self {
        self.word(name).word(value)
    }

    pub(super) fn namespace(self, release: &ReleaseName) -> Self {
        self.flag("--namespace", &release.namespace)
    }

    pub(super) fn timeout(self, timeout: Duration) -> Self {
        self.flag("--timeout", format!("{}s", timeout.as_secs().max(1)))
    }

    pub(super) fn labels(self, labels: &BTreeMap<String, String>) -> Self {
        if labels.is_empty() {
            return self;
        }
        let pairs: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.flag("--labels", pairs.join(","))
    }

    /// Writes values and options of the post-renderer into files of the call, and names them.
    pub(super) fn content(
        self,
        spec: &ReleaseSpec,
        capabilities: &Capabilities,
        scratch: &Arc<Scratch>,
    ) -> Result<Self, HelmError> {
        let values = scratch.write("values.json", &spec.values.to_string())?;
        let options = PostRenderOptions {
            namespace: spec.name.namespace.clone(),
            labels: spec.object_labels.clone(),
            cluster_scoped: capabilities.cluster_scoped.clone(),
        };
        let options = serde_json::to_string(&options).map_err(|error| HelmError::File {
            path: OPTIONS_FILE.to_owned(),
            message: error.to_string(),
        })?;
        let options = scratch.write(OPTIONS_FILE, &options)?;
        Ok(self
            .flag("--values", values)
            .flag("--post-renderer", POST_RENDERER)
            .flag("--post-renderer-args", options))
    }

    /// What the cluster can do, for renderings without one.
    pub(super) fn capabilities(mut self, capabilities: &Capabilities) -> Self {
        if !capabilities.kube_version.is_empty() {
            self = self.flag("--kube-version", &capabilities.kube_version);
        }
        let versions: Vec<&str> = capabilities.api_versions.iter().map(String::as_str).collect();
        for some in versions.chunks(VERSIONS_PER_ARGUMENT) {
            self = self.flag("--api-versions", some.join(","));
        }
        self
    }

    pub(super) fn path(self, path: &Path) -> Self {
        self.word(path)
    }

    pub(super) fn done(self) -> Vec<OsString> {
        self.0
    }
}
