//! What a Helm process knows of the world.
//!
//! In: our home, the directory of one call, our own environment. Out: the variables of the process: all of Helm's point into
//! our directories, of ours only those that networks and user names need are kept.

use std::{ffi::OsString, path::Path};

use super::home::Home;

/// Kept from our own environment: how programs and trusted certificates are found, and how the network is reached.
const KEPT: [&str; 11] = [
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Revisions of a release that are kept.
pub(super) const HISTORY: &str = "10";

/// The variables of a process. `scratch` is the directory of the call.
pub(super) fn variables(home: &Home, scratch: &Path) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = KEPT
        .iter()
        .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)))
        .collect();
    let own = |name: &str| scratch.join(name).into_os_string();
    let mut set = |name: &str, value: OsString| variables.push((name.into(), value));
    set("HOME", own("home"));
    set("TMPDIR", scratch.as_os_str().to_owned());
    set("DOCKER_CONFIG", own("docker"));
    set("HELM_CONFIG_HOME", own("config"));
    set("HELM_DATA_HOME", own("data"));
    set("HELM_CACHE_HOME", home.directory("cache").into_os_string());
    set("HELM_REPOSITORY_CACHE", own("repository"));
    set("HELM_CONTENT_CACHE", own("content"));
    set("HELM_REPOSITORY_CONFIG", own("repositories.yaml"));
    set("HELM_REGISTRY_CONFIG", own("registry.json"));
    set("HELM_PLUGINS", home.plugins().into_os_string());
    // No commands from plugins; the post-renderer is found in spite of it.
    set("HELM_NO_PLUGINS", "1".into());
    set("HELM_DRIVER", "secret".into());
    set("HELM_MAX_HISTORY", HISTORY.into());
    set("NO_COLOR", "1".into());
    // An empty name would mean the file in the home directory, which does not exist either.
    let kubeconfig = home
        .kubeconfig()
        .map_or_else(|| own("kubeconfig"), |path| path.as_os_str().to_owned());
    set("KUBECONFIG", kubeconfig);
    variables
}
