//! Charts of an OCI registry.
//!
//! In: a reference, a version. Out: its archive. The version is the tag: it is tried as it is and with `v`.

use std::path::PathBuf;

use serde_json::{Map, json};

use super::fetch::Session;
use crate::{Access, HelmError, Version, cli::arguments::Arguments};

/// The registry that is known by another name to those who keep credentials.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

pub(super) async fn fetch(
    session: &Session<'_>,
    reference: &str,
    version: &Version,
    access: &Access,
) -> Result<PathBuf, HelmError> {
    write_credentials(session, reference, access)?;
    let first = tagged(session, reference, version.as_str(), access).await;
    match first {
        Err(HelmError::ChartNotFound { .. }) => {}
        other => return other,
    }
    let with_v = format!("v{version}");
    match tagged(session, reference, &with_v, access).await {
        // The tag that was asked for is the one to tell about.
        Err(HelmError::ChartNotFound { .. }) => first,
        other => other,
    }
}

async fn tagged(
    session: &Session<'_>,
    reference: &str,
    tag: &str,
    access: &Access,
) -> Result<PathBuf, HelmError> {
    let mut args = Arguments::new(&["pull", reference])
        .flag("--version", tag)
        .flag("--destination", session.target()?);
    if access.plain_http {
        args = args.word("--plain-http");
    }
    let ended = session.call(args.done()).await?;
    if !ended.success {
        return Err(session.failure(&ended));
    }
    session.archive()
}

/// Writes the file in which Helm looks for credentials. It is written without any too: Helm would ask the system's keeper.
fn write_credentials(session: &Session<'_>, reference: &str, access: &Access) -> Result<(), HelmError> {
    let mut auths = Map::new();
    if let Some((user, secret)) = &access.login {
        let host = reference
            .trim_start_matches("oci://")
            .split('/')
            .next()
            .unwrap_or_default();
        let login = json!({ "username": user, "password": secret.reveal() });
        auths.insert(host.to_owned(), login.clone());
        if DOCKER_HUB.contains(&host) {
            auths.insert(DOCKER_HUB_KEY.to_owned(), login);
        }
    }
    let config = json!({ "auths": auths });
    session.scratch.write("registry.json", &config.to_string())?;
    Ok(())
}
