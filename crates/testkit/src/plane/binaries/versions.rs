//! What is built: versions and package paths, read from the Go modules' own files.
//!
//! In: `control-plane/*/go.mod`, at compile time, and which Kubernetes the environment asks for. Out: module directory, package and link flags of each program.

use std::path::PathBuf;

use super::{BinariesError, Program};

/// The version of kube-apiserver, kube-controller-manager, kube-scheduler and kubectl, as in the module's `go.mod`.
pub const KUBERNETES_VERSION: &str = NEWEST.version;
/// The environment variable that selects another version of Kubernetes: its minor version, such as `1.30`.
pub const KUBERNETES_VARIABLE: &str = "TESTKIT_KUBERNETES";
/// The version of etcd, as in the module's `go.mod`.
pub const ETCD_VERSION: &str = "v3.6.16";
/// The version of the Helm CLI, as in the module's `go.mod`.
pub const HELM_VERSION: &str = "v4.3.1";

/// A version of Kubernetes that can be built here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kubernetes {
    /// Such as `v1.36.3`.
    pub(super) version: &'static str,
    /// The directory of its Go module.
    directory: &'static str,
    /// Its `go.mod`.
    module: &'static str,
}

const NEWEST: Kubernetes = Kubernetes {
    version: "v1.36.3",
    directory: "kubernetes",
    module: include_str!("../../../control-plane/kubernetes/go.mod"),
};
/// The oldest one that the operator is tested with.
const OLDEST: Kubernetes = Kubernetes {
    version: "v1.30.14",
    directory: "kubernetes-1.30",
    module: include_str!("../../../control-plane/kubernetes-1.30/go.mod"),
};
const ALL: [Kubernetes; 2] = [NEWEST, OLDEST];

impl Kubernetes {
    /// The one that [`KUBERNETES_VARIABLE`] asks for; the newest when it does not.
    pub(super) fn selected() -> Result<Self, BinariesError> {
        let wanted = std::env::var(KUBERNETES_VARIABLE).unwrap_or_default();
        Self::of(&wanted)
    }

    fn of(wanted: &str) -> Result<Self, BinariesError> {
        let found = ALL
            .into_iter()
            .find(|one| wanted.is_empty() || one.minor() == wanted || one.version == wanted);
        found.ok_or_else(|| BinariesError::UnknownVersion {
            wanted: wanted.to_owned(),
            known: ALL.map(|one| one.minor()).join(", "),
        })
    }

    /// Such as `1.36`.
    fn minor(&self) -> &'static str {
        let version = self.version.trim_start_matches('v');
        version.rsplit_once('.').map_or(version, |(minor, _)| minor)
    }
}

impl Program {
    /// The directory of the Go module that names it as a tool.
    pub(super) fn module(self, kubernetes: Kubernetes) -> PathBuf {
        module(if self == Self::Etcd {
            "etcd"
        } else {
            kubernetes.directory
        })
    }

    /// Its Go package.
    pub(super) fn package(self) -> String {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3".to_owned(),
            _ => format!("k8s.io/kubernetes/cmd/{}", self.name()),
        }
    }

    /// Link flags: without the version of its build the API server reports a made-up one.
    pub(super) fn link_flags(self, kubernetes: Kubernetes) -> String {
        if self == Self::Etcd {
            return "-s -w".to_owned();
        }
        let minor = kubernetes.version.split('.').nth(1).unwrap_or_default();
        let mut flags = "-s -w".to_owned();
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            for (name, value) in [
                ("gitVersion", kubernetes.version),
                ("gitMajor", "1"),
                ("gitMinor", minor),
                ("gitTreeState", "clean"),
            ] {
                flags.extend([" -X ", package, ".", name, "=", value]);
            }
        }
        flags
    }
}

/// The directory of a Go module.
pub(super) fn module(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("control-plane")
        .join(name)
}

/// The Go version that the modules ask for, such as `1.26.0`.
pub(super) fn go_version() -> &'static str {
    NEWEST
        .module
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .map_or("1.26.0", str::trim)
}

#[cfg(test)]
mod tests {
    use super::{ALL, ETCD_VERSION, HELM_VERSION, Kubernetes, NEWEST};

    #[test]
    fn versions_are_those_of_the_modules() {
        let etcd = include_str!("../../../control-plane/etcd/go.mod");
        let helm = include_str!("../../../control-plane/helm/go.mod");
        assert!(etcd.contains(&format!("go.etcd.io/etcd/server/v3 {ETCD_VERSION} ")));
        assert!(helm.contains(&format!("helm.sh/helm/v4 {HELM_VERSION} ")));
        for Kubernetes { version, module, .. } in ALL {
            assert!(module.contains(&format!("k8s.io/kubernetes {version} ")));
            let staging = version.replacen("v1.", "v0.", 1);
            for line in module.lines().filter(|line| line.contains("=>")) {
                assert!(line.ends_with(&staging), "{line}");
            }
        }
        for module in [etcd, helm].into_iter().chain(ALL.map(|one| one.module)) {
            assert!(module.contains(&format!("\ngo {}\n", super::go_version())));
        }
    }

    #[test]
    fn a_version_is_selected_by_its_minor_version() {
        assert_eq!(Kubernetes::of("").unwrap(), NEWEST);
        assert_eq!(Kubernetes::of("1.30").unwrap().version, "v1.30.14");
        assert_eq!(Kubernetes::of("v1.36.3").unwrap(), NEWEST);
        let error = Kubernetes::of("1.3").unwrap_err().to_string();
        assert!(
            error.contains("TESTKIT_KUBERNETES=1.3") && error.contains("1.36, 1.30"),
            "{error}"
        );
    }
}
