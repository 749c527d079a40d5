//! What the cluster can do.
//!
//! In: an API server. Out: [`Capabilities`]: version, what is served, which kinds have no namespace. Three requests.

use std::time::Duration;

use kube::Client;
use tokio::time::timeout;

use super::options::{Capabilities, CapabilitiesSource};
use crate::HelmError;

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl CapabilitiesSource {
    /// What it says now.
    pub(super) async fn get(&self) -> Result<Capabilities, HelmError> {
        match self {
            Self::Fixed(capabilities) => Ok(capabilities.clone()),
            Self::Cluster(client) => {
                let failed = |message: String| HelmError::Failed {
                    message: format!("the API server does not say what it serves: {message}"),
                };
                match timeout(PATIENCE, discover(client)).await {
                    Ok(found) => found.map_err(|error| failed(error.to_string())),
                    Err(_) => Err(failed(format!("nothing came within {}s", PATIENCE.as_secs()))),
                }
            }
        }
    }
}

async fn discover(client: &Client) -> Result<Capabilities, kube::Error> {
    let mut found = Capabilities {
        kube_version: client.apiserver_version().await?.git_version,
        ..Capabilities::default()
    };
    let core = client.list_core_api_versions_aggregated().await?;
    let others = client.list_api_groups_aggregated().await?;
    for group in core.items.into_iter().chain(others.items) {
        let name = group.metadata.and_then(|meta| meta.name).unwrap_or_default();
        for served in group.versions {
            let Some(version) = served.version else { continue };
            let version = join(&name, &version);
            for resource in served.resources {
                let Some(kind) = resource.response_kind.and_then(|kind| kind.kind) else {
                    continue;
                };
                if resource.scope.as_deref() == Some("Cluster") {
                    found.cluster_scoped.insert(full_name(&kind, &name));
                }
                found.api_versions.insert(format!("{version}/{kind}"));
            }
            found.api_versions.insert(version);
        }
    }
    Ok(found)
}

/// `group/version`, or `version` alone for the core group.
fn join(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// `Kind.group`, or `Kind` alone for the core group.
fn full_name(kind: &str, group: &str) -> String {
    if group.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}.{group}")
    }
}
