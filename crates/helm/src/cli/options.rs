//! How the Helm CLI is called. Plain data.

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

/// The choices for [`crate::CliHelm`].
#[derive(Debug)]
pub struct CliHelmOptions {
    /// The Helm 4 executable: a path, or a name that is looked up on `PATH`.
    pub program: PathBuf,
    /// Our own executable, which has the subcommands of [`crate::tool`]; [`std::env::current_exe`] as a rule.
    pub tool: PathBuf,
    /// Where everything of ours is kept: charts, configuration, caches. Made with mode 0700 when it does not exist; nobody
    /// else may use it.
    pub home: PathBuf,
    /// Charts that are taken before the network is asked: `<name>-<version>.tgz`, or directories `<name>-<version>` and `<name>`.
    pub charts_dir: Option<PathBuf>,
    /// How Helm gets to the API server.
    pub kubeconfig: KubeconfigSource,
    /// What the cluster can do.
    pub capabilities: CapabilitiesSource,
    /// How many Helm processes run at once.
    pub concurrency: usize,
    /// How long fetching or rendering a chart may take.
    pub timeout: Duration,
}

impl CliHelmOptions {
    /// Two processes at once: each takes about 100 MB.
    pub const CONCURRENCY: usize = 2;
    /// As long as Helm itself waits for a download.
    pub const TIMEOUT: Duration = Duration::from_mins(2);
}

/// How Helm gets to the API server.
#[derive(Debug)]
pub enum KubeconfigSource {
    /// As a client does. Written to a file with mode 0600; a token file is named in it, not copied.
    Config(Box<kube::Config>),
    /// A kubeconfig file that exists.
    File(PathBuf),
    /// Not at all: for rendering only.
    None,
}

/// Who says what the cluster can do.
#[derive(Clone)]
pub enum CapabilitiesSource {
    /// The API server, asked before every rendering and every change.
    Cluster(kube::Client),
    /// Whoever made this.
    Fixed(Capabilities),
}

impl fmt::Debug for CapabilitiesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(_) => f.write_str("Cluster"),
            Self::Fixed(capabilities) => f.debug_tuple("Fixed").field(capabilities).finish(),
        }
    }
}

/// What the cluster can do, as charts and the post-renderer are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Such as `v1.36.3`; Helm's own idea when empty.
    pub kube_version: String,
    /// What is served: `apps/v1` and `apps/v1/Deployment`.
    pub api_versions: BTreeSet<String>,
    /// Kinds whose objects have no namespace, beside those that every cluster has: `Kind.group`, or `Kind` of the core group.
    pub cluster_scoped: BTreeSet<String>,
}
