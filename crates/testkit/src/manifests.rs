//! What is installed of the operator before one runs in front of a cluster: in one place for tests, demo, benchmark and chaos.
//!
//! In: the root of the repository, the operator's executable. Out: YAML for [`Cluster::apply_yaml`], and the way in that the operator
//! has as shipped. It starts nothing, and leaves out what a cluster of its own must ask for: the roles that install definitions and
//! charts.

use std::path::Path;

use crate::plane::{Access, Cluster, ClusterError};

/// Where the operator runs, as shipped.
pub const NAMESPACE: &str = "llm-system";
/// Its service account, as shipped.
pub const SERVICE_ACCOUNT: &str = "llm-operator";

/// Namespace, account and roles, in the order in which they are applied; below `config`.
const FILES: [&str; 8] = [
    "manager/namespace.yaml",
    "rbac/service_account.yaml",
    "rbac/cluster_role.yaml",
    "rbac/cluster_role_binding.yaml",
    "rbac/leader_election_role.yaml",
    "rbac/external_metrics_role.yaml",
    "rbac/metrics_auth_role.yaml",
    "rbac/metrics_reader_role.yaml",
];

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// A file of `config` is not there.
    #[error("{path}: {source}; run this from the root of the repository")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The operator does not print its definitions.
    #[error("{operator} crds: {reason}; build it first: cargo build -p llm-operator")]
    Definitions {
        /// The path of its executable.
        operator: String,
        /// Why not.
        reason: String,
    },
}

/// Which definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definitions {
    /// The operator's own.
    Own,
    /// Those that belong to others on many clusters.
    Optional,
}

/// Namespace, account and roles, from the repository at `root`.
pub fn roles(root: &Path) -> Result<String, ManifestsError> {
    let mut documents = Vec::new();
    for file in FILES {
        let path = root.join("config").join(file);
        let text = std::fs::read_to_string(&path).map_err(|source| ManifestsError::File {
            path: path.display().to_string(),
            source,
        })?;
        documents.push(text);
    }
    Ok(documents.join("\n---\n"))
}

/// Definitions, as this executable of the operator prints them.
pub async fn definitions(operator: &Path, which: Definitions) -> Result<String, ManifestsError> {
    let failed = |reason: String| ManifestsError::Definitions {
        operator: operator.display().to_string(),
        reason,
    };
    let output = tokio::process::Command::new(operator)
        .arg("crds")
        .args((which == Definitions::Optional).then_some("--optional"))
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}

/// What the operator may use: a token of the shipped service account, never an administrator's.
pub async fn access(cluster: &Cluster) -> Result<Access, ClusterError> {
    cluster.service_account(NAMESPACE, SERVICE_ACCOUNT).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is not applied to every cluster, and why.
    const LEFT_OUT: [(&str, &str); 3] = [
        (
            "install_crds_role.yaml",
            "only for --install-crds, whose tests apply it",
        ),
        ("node_labeler_admin_role.yaml", "for people"),
        (
            "charts_role.yaml",
            "only for charts, whose tests apply it; others run without these rights",
        ),
    ];

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    /// A role that is added to `config/rbac` is either installed here, or left out on purpose.
    #[test]
    fn every_shipped_role_is_installed_or_left_out_on_purpose() {
        let text = std::fs::read_to_string(root().join("config/rbac/Kustomization")).unwrap();
        let shipped: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  - "))
            .collect();
        let installed = FILES.iter().filter_map(|file| file.strip_prefix("rbac/"));
        let known: BTreeSet<&str> = installed.chain(LEFT_OUT.map(|(file, _)| file)).collect();
        assert_eq!(shipped, known);
    }

    #[test]
    fn the_account_is_the_one_that_the_files_name() {
        let text = roles(root()).unwrap();
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        let named = |kind: &str| {
            let found = documents.iter().find(|document| document["kind"] == kind);
            found.unwrap()["metadata"].clone()
        };
        assert_eq!(named("Namespace")["name"], NAMESPACE);
        assert_eq!(named("ServiceAccount")["namespace"], NAMESPACE);
        assert_eq!(named("ServiceAccount")["name"], SERVICE_ACCOUNT);
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let error = roles(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(
            error.starts_with("/nonexistent/config/manager/namespace.yaml"),
            "{error}"
        );
        let error = definitions(Path::new("/bin/false"), Definitions::Own).await;
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("/bin/false crds: "), "{error}");
    }
}
