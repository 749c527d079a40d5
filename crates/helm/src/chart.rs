//! Which chart, of which version, from where, and with which credentials. Plain data.

use std::{fmt, path::PathBuf};

/// A chart as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Where it is had from.
    pub source: Source,
    /// Its version.
    pub version: Version,
    /// What the source asks for before it hands it out.
    pub access: Access,
}

/// Where a chart is had from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A classic repository: a web server with an `index.yaml`.
    Repository {
        /// Base URL, `http://` or `https://`.
        url: String,
        /// Name of the chart in its index.
        name: String,
    },
    /// An OCI registry.
    Registry {
        /// `oci://host/path/name`, without a tag: the version is the tag.
        reference: String,
    },
    /// An archive or an unpacked chart on this machine's disk.
    Local {
        /// Absolute path of the `.tgz` or of the directory with `Chart.yaml`.
        path: PathBuf,
    },
}

/// Version of a chart, kept without the `v` that some charts and tags have and others lack: `v1.3.3` and `1.3.3` are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// From text with or without a leading `v`.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix('v').unwrap_or(text);
        Self(bare.to_owned())
    }

    /// Without `v`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a source asks for before it hands out a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// User name and password, or token.
    pub login: Option<(String, Secret)>,
    /// PEM certificates to trust beside the system's.
    pub ca: Option<String>,
    /// Whether an OCI registry is talked to without TLS.
    pub plain_http: bool,
}

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for files that only we read, never for a command line, a log or a message.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v_makes_no_difference() {
        assert_eq!(Version::new("v1.3.3"), Version::new("1.3.3"));
        assert_eq!(Version::new(" v1.3.3\n").to_string(), "1.3.3");
        assert_ne!(Version::new("1.3.3"), Version::new("1.3.4"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let access = Access {
            login: Some(("me".to_owned(), Secret::new("hunter2".to_owned()))),
            ..Access::default()
        };
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
