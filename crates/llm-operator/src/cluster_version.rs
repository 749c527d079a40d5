//! Whether the cluster is one that this operator knows, and what its version rules out.
//!
//! In: the version that the API server tells. Out: a [`Cluster`], and one sentence with what is lost, if anything. It forbids nothing:
//! most of what is used is older than the oldest version that is tested.

use std::fmt;

use kube::Client;

/// The oldest version whose control plane the tests have run on.
const OLDEST: Version = Version { major: 1, minor: 30 };
/// The newest, for whose API the types are made.
const NEWEST: Version = Version { major: 1, minor: 36 };
/// The first whose autoscalers know a tolerance of their own, behind the gate `HPAConfigurableTolerance`.
const AUTOSCALER_TOLERANCE: Version = Version { major: 1, minor: 33 };
/// What is lost from a minor version on, below another one; the sources are Kubernetes' release notes.
const LOST: [(u32, u32, &str); 5] = [
    (
        0,
        22,
        "server-side apply and policy/v1 are not complete, so nothing is promised",
    ),
    (
        0,
        23,
        "autoscaling/v2 is not served, so no autoscaler is made and replicas follow no load through one",
    ),
    (
        0,
        24,
        "no OpenAPI v3 is published, so DynamoGraphDeployment and DataScienceCluster count as not installed",
    ),
    (
        0,
        25,
        "the rules in the definitions are not checked when a resource is handed in, so mistakes show in its status alone",
    ),
    (
        25,
        29,
        "rules of the definitions compare quantities, which this API server cannot, so it refuses definitions that have such rules",
    ),
];

/// A minor release of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Vendors write `30+` for a minor one. `None` when it is told in no way that is known.
    fn read(major: &str, minor: &str) -> Option<Self> {
        Some(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

/// What the version of a cluster says about what it can do. A version that is not known rules out nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Autoscalers may keep a tolerance of their own; whether they do is a matter of a feature gate.
    pub autoscaler_tolerance: bool,
}

impl Cluster {
    fn of(version: Option<Version>) -> Self {
        Self {
            autoscaler_tolerance: version.is_none_or(|version| version >= AUTOSCALER_TOLERANCE),
        }
    }
}

/// Asks the cluster, and says in the log what there is to say.
pub async fn ask(client: &Client) -> Cluster {
    match client.apiserver_version().await {
        Ok(info) => {
            tracing::info!(version = info.git_version, "the cluster's version");
            let version = Version::read(&info.major, &info.minor);
            if let Some(sentence) = version.and_then(remark) {
                tracing::warn!("{sentence}");
            }
            Cluster::of(version)
        }
        Err(error) => {
            tracing::info!("the cluster does not tell its version: {error}");
            Cluster::of(None)
        }
    }
}

/// The sentence about a version; `None` when it is known.
fn remark(version: Version) -> Option<String> {
    if version > NEWEST {
        return Some(format!(
            "the cluster is Kubernetes {version}, newer than {NEWEST}, the newest that this operator was made for: only stable APIs \
             are used, and what {version} has added is not; look for a newer operator"
        ));
    }
    if version >= OLDEST {
        return None;
    }
    let lost: Vec<&str> = LOST
        .iter()
        .filter(|(from, below, _)| (*from..*below).contains(&version.minor))
        .map(|(.., loss)| *loss)
        .collect();
    let lost = if lost.is_empty() {
        "no loss is known, and none was looked for".to_owned()
    } else {
        lost.join("; ")
    };
    Some(format!(
        "the cluster is Kubernetes {version}, older than {OLDEST}, the oldest that this operator was tested on: {lost}"
    ))
}

fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Cluster, Version};

    fn remark(major: &str, minor: &str) -> Option<String> {
        super::remark(Version::read(major, minor)?)
    }

    #[test]
    fn the_version_rules_out_what_it_can() {
        let tolerance = |minor| Cluster::of(Version::read("1", minor)).autoscaler_tolerance;
        for (minor, expected) in [
            ("30", false),
            ("32+", false),
            ("33", true),
            ("36", true),
            ("", true),
        ] {
            assert_eq!(tolerance(minor), expected, "{minor}");
        }
    }

    #[test]
    fn a_version_that_is_known_needs_no_word() {
        for minor in ["30", "30+", "31", "36", "36-eks.1"] {
            assert_eq!(remark("1", minor), None, "{minor}");
        }
        // Nothing is made up about what nobody can read.
        for (major, minor) in [("", ""), ("1", ""), ("1", "x"), ("v1", "30")] {
            assert_eq!(remark(major, minor), None, "{major}.{minor}");
        }
    }

    #[test]
    fn what_is_lost_is_said() {
        for (minor, words, not) in [
            (
                "29",
                &["1.29", "older than 1.30", "no loss is known"][..],
                "autoscaling",
            ),
            ("28+", &["1.28", "compare quantities"], "no loss is known"),
            ("25", &["1.25", "compare quantities"], "handed in"),
            ("24", &["1.24", "rules in the definitions"], "OpenAPI"),
            ("23", &["rules in the definitions", "OpenAPI v3"], "autoscaling"),
            (
                "22",
                &["autoscaling/v2", "OpenAPI v3", "rules"],
                "nothing is promised",
            ),
            ("21", &["nothing is promised", "autoscaling/v2"], "newer"),
            ("37", &["1.37", "newer than 1.36"], "older than"),
        ] {
            let sentence = remark("1", minor).unwrap();
            for word in words {
                assert!(sentence.contains(word), "{word}: {sentence}");
            }
            assert!(!sentence.contains(not), "{not}: {sentence}");
            assert!(!sentence.contains('\n'), "one line: {sentence}");
        }
        assert!(remark("2", "0").unwrap().contains("newer"));
    }
}
