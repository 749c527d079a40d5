//! Charts of tests and where they are had from.
//!
//! In: the charts in `charts/`, the Helm CLI. Out: [`Charts`], archives of any version; [`ChartRepository`], a web server
//! with an index; [`ChartRegistry`], an OCI registry. Both servers can ask for credentials and can be made to fail.

mod moods;
mod registry;
mod repository;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use moods::Mood;
pub use registry::{ChartRegistry, RegistryLogin};
pub use repository::ChartRepository;

use crate::plane::binaries::{self, BinariesError};
use crate::process::{ProcessError, TemporaryDirectory};

/// A chart could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChartsError {
    /// There is no Helm.
    #[error(transparent)]
    Helm(#[from] BinariesError),
    /// There is no directory.
    #[error(transparent)]
    Directory(#[from] ProcessError),
    /// Helm refuses the chart.
    #[error("helm package {chart}: {message}")]
    Package {
        /// The chart's name.
        chart: String,
        /// What Helm says.
        message: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate cannot be used.
    #[error("cannot use a certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// A server could not be started, or a file not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Charts of tests as archives, which go away with this value.
///
/// | chart | what it is like |
/// |---|---|
/// | `llm-d-infra` | Gateway, Telemetry of Istio, a `ConfigMap`; schema, library subchart |
/// | `llm-d-modelservice` | decode and prefill Deployments (prefill of 0 replicas), an `HTTPRoute` that is a hook, a pool; schema, library subchart, templates inside values |
/// | `inferencepool` | an endpoint picker with `ClusterRole` and `InferencePool`; refuses to render without `inferencePool.modelServers.matchLabels` |
/// | `plain` | `ConfigMap`, Deployment, `ClusterRole`, hook `ConfigMap`; nothing that a bare cluster does not know. Faults by its values: see its `values.yaml` |
#[derive(Debug)]
pub struct Charts {
    helm: PathBuf,
    directory: TemporaryDirectory,
}

impl Charts {
    /// An empty shelf. The first one on a machine builds Helm. Blocks.
    pub fn new() -> Result<Self, ChartsError> {
        Ok(Self {
            helm: binaries::helm()?,
            directory: TemporaryDirectory::new("charts")?,
        })
    }

    /// The Helm CLI.
    pub fn helm(&self) -> &Path {
        &self.helm
    }

    /// The directory of a chart as it stands in the source.
    pub fn source(chart: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("charts")
            .join(chart)
    }

    /// The archive of a chart in a version, made when it is first asked for. The version may begin with `v`. Blocks.
    pub fn archive(&self, chart: &str, version: &str) -> Result<PathBuf, ChartsError> {
        let name = format!("{chart}-{version}.tgz");
        let archive = self.directory.path().join(&name);
        if archive.exists() {
            return Ok(archive);
        }
        // Others may ask for the same one meanwhile: it appears under its name when it is whole.
        let bench = TemporaryDirectory::new("chart")?;
        let output = Command::new(&self.helm)
            .args(["package", "--version", version, "--app-version", version])
            .arg("--destination")
            .arg(bench.path())
            .arg(Self::source(chart))
            .env("HELM_CACHE_HOME", bench.path().join("cache"))
            .env("HELM_CONFIG_HOME", bench.path().join("config"))
            .env("HELM_DATA_HOME", bench.path().join("data"))
            .output()?;
        let made = bench.path().join(name);
        if output.status.success() && made.exists() {
            std::fs::rename(made, &archive)?;
            return Ok(archive);
        }
        Err(ChartsError::Package {
            chart: chart.to_owned(),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
