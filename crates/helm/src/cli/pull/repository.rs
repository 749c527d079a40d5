//! Charts of a web server with an index.
//!
//! In: the server's address, a chart. Out: its archive. Two processes: one fetches the index, one the chart. The address and
//! the credentials are in a file, not among the arguments.

use std::path::PathBuf;

use serde_json::json;

use super::fetch::Session;
use crate::{Access, HelmError, Version, cli::arguments::Arguments};

/// The name by which Helm knows the server, in this call only.
const NAME: &str = "source";

pub(super) async fn fetch(
    session: &Session<'_>,
    url: &str,
    chart: &str,
    version: &Version,
    access: &Access,
) -> Result<PathBuf, HelmError> {
    let mut entry = json!({ "name": NAME, "url": url });
    if let Some((user, secret)) = &access.login {
        entry["username"] = json!(user);
        entry["password"] = json!(secret.reveal());
    }
    let repositories = json!({ "apiVersion": "v1", "repositories": [entry] });
    session
        .scratch
        .write("repositories.yaml", &repositories.to_string())?;
    let update = Arguments::new(&["repo", "update", NAME]);
    let ended = session.call(update.done()).await?;
    if !ended.success {
        // The reason is on standard output, behind a tab.
        let reason = ended.stdout.text.lines().find_map(|line| line.strip_prefix('\t'));
        return Err(reason.map_or_else(|| session.failure(&ended), |reason| session.error(reason)));
    }
    let pull = Arguments::new(&["pull", &format!("{NAME}/{chart}")])
        .flag("--version", version.as_str())
        .flag("--destination", session.target()?);
    let ended = session.call(pull.done()).await?;
    if !ended.success {
        return Err(session.failure(&ended));
    }
    session.archive()
}
