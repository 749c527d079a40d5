//! What is built: versions and package paths, read from the Go modules' own files.
//!
//! In: `control-plane/*/go.mod`, at compile time. Out: module directory, package and link flags of each program.

use std::path::PathBuf;

use super::Program;

/// The version of kube-apiserver, kube-controller-manager, kube-scheduler and kubectl, as in the module's `go.mod`.
pub const KUBERNETES_VERSION: &str = "v1.36.3";
/// The version of etcd, as in the module's `go.mod`.
pub const ETCD_VERSION: &str = "v3.6.16";
/// The version of the Helm CLI, as in the module's `go.mod`.
pub const HELM_VERSION: &str = "v4.3.1";

const KUBERNETES_MODULE: &str = include_str!("../../../control-plane/kubernetes/go.mod");

impl Program {
    /// The directory of the Go module that names it as a tool.
    pub(super) fn module(self) -> PathBuf {
        module(if self == Self::Etcd { "etcd" } else { "kubernetes" })
    }

    /// Its Go package.
    pub(super) fn package(self) -> String {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3".to_owned(),
            _ => format!("k8s.io/kubernetes/cmd/{}", self.name()),
        }
    }

    /// Link flags: without the version of its build the API server reports a made-up one.
    pub(super) fn link_flags(self) -> String {
        if self == Self::Etcd {
            return "-s -w".to_owned();
        }
        let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
        let mut flags = "-s -w".to_owned();
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            for (name, value) in [
                ("gitVersion", KUBERNETES_VERSION),
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
    KUBERNETES_MODULE
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .map_or("1.26.0", str::trim)
}

#[cfg(test)]
mod tests {
    use super::{ETCD_VERSION, HELM_VERSION, KUBERNETES_MODULE, KUBERNETES_VERSION};

    #[test]
    fn versions_are_those_of_the_modules() {
        let etcd = include_str!("../../../control-plane/etcd/go.mod");
        assert!(KUBERNETES_MODULE.contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION} ")));
        assert!(etcd.contains(&format!("go.etcd.io/etcd/server/v3 {ETCD_VERSION} ")));
        let staging = KUBERNETES_VERSION.replacen("v1.", "v0.", 1);
        for line in KUBERNETES_MODULE.lines().filter(|line| line.contains("=>")) {
            assert!(line.ends_with(&staging), "{line}");
        }
        let helm = include_str!("../../../control-plane/helm/go.mod");
        assert!(helm.contains(&format!("helm.sh/helm/v4 {HELM_VERSION} ")));
        for module in [KUBERNETES_MODULE, etcd, helm] {
            assert!(module.contains(&format!("\ngo {}\n", super::go_version())));
        }
    }
}
