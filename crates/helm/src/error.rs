//! Why Helm did not do it, sorted by who has to act.

use std::time::Duration;

/// See the variants. The message is the chart's or Helm's own, without credentials and bounded in length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelmError {
    /// The Helm executable cannot be started.
    #[error("{program} cannot be started: {message}; set --helm to the Helm 4 executable")]
    NotInstalled {
        /// Path or name of the executable.
        program: String,
        /// What the system says.
        message: String,
    },
    /// A file of ours cannot be used.
    #[error("cannot use {path}: {message}")]
    File {
        /// The file or directory.
        path: String,
        /// What the system says.
        message: String,
    },
    /// The source has no such chart, or not this version of it.
    #[error("{chart} was not found: {message}; correct the version or the repository")]
    ChartNotFound {
        /// Source, chart and version.
        chart: String,
        /// What Helm says.
        message: String,
    },
    /// The source does not answer.
    #[error("{chart} cannot be fetched now: {message}")]
    Unreachable {
        /// Source, chart and version.
        chart: String,
        /// What Helm says.
        message: String,
    },
    /// The source does not accept the credentials, or asks for some.
    #[error("{chart} is not handed out: {message}; correct the Secret of the repository")]
    Unauthorized {
        /// Source, chart and version.
        chart: String,
        /// What Helm says.
        message: String,
    },
    /// What was fetched is no chart that Helm can read.
    #[error("{chart} is no chart: {message}")]
    NoChart {
        /// Source, chart and version.
        chart: String,
        /// What Helm says.
        message: String,
    },
    /// The values do not fit the chart's schema.
    #[error("the values do not fit the chart: {message}")]
    Values {
        /// One violation per line, each with its path.
        message: String,
    },
    /// The templates refuse the values, or are broken.
    #[error("the chart cannot be rendered: {message}")]
    Render {
        /// What Helm says.
        message: String,
    },
    /// Another operation on the release is under way, or was killed.
    #[error("another operation on release {release} is under way")]
    Locked {
        /// The release.
        release: String,
    },
    /// The release has objects of a kind that the API server does not know. Nothing of it can be changed or removed until it does.
    #[error("the API server does not know a kind of the release: {message}; install its definition")]
    UnknownKind {
        /// What Helm says.
        message: String,
    },
    /// It did not end in time and was killed, or what it waited for did not come.
    #[error("it took longer than {}s: {message}", after.as_secs())]
    TimedOut {
        /// The time that it had.
        after: Duration,
        /// What it had said until then.
        message: String,
    },
    /// Anything else: what the API server or a hook refused, for example.
    #[error("{message}")]
    Failed {
        /// What Helm says.
        message: String,
    },
}

impl HelmError {
    /// Whether time alone may heal it.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::File { .. }
                | Self::Unreachable { .. }
                | Self::Locked { .. }
                | Self::UnknownKind { .. }
                | Self::TimedOut { .. }
                | Self::Failed { .. }
        )
    }
}
