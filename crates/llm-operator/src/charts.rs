//! What installs charts for `Llmd`: the Helm CLI with directories of its own.
//!
//! In: options and the cluster's configuration. Out: Helm, ready to be asked; or nothing, where charts are out of scope.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use controllers::llmd::desk::HelmSetup;
use helm::{CapabilitiesSource, CliHelm, CliHelmOptions, KubeconfigSource, tool};
use kube::{Client, Config};

use crate::cli::{GuardArgs, HelmArgs, PostRenderArgs};

/// Helm for a cluster.
pub async fn setup(args: &HelmArgs, client: &Client, wanted: bool) -> Result<Option<HelmSetup>, String> {
    if !wanted {
        return Ok(None);
    }
    let config = Config::infer().await.map_err(|error| error.to_string())?;
    let options = CliHelmOptions {
        program: args.helm.clone(),
        tool: executable()?,
        home: args.helm_home.clone().unwrap_or_else(own_home),
        charts_dir: args.charts_dir(),
        kubeconfig: KubeconfigSource::Config(Box::new(config)),
        capabilities: CapabilitiesSource::Cluster(client.clone()),
        concurrency: CliHelmOptions::CONCURRENCY,
        timeout: CliHelmOptions::TIMEOUT,
    };
    let charts_dir = options.charts_dir.clone();
    let helm = CliHelm::new(options).map_err(|error| format!("--helm-home: {error}"))?;
    Ok(Some(HelmSetup {
        helm: Arc::new(helm),
        charts_dir,
    }))
}

/// `llm-operator helm-guard`: Helm, ended when its starter is gone.
pub fn guard(args: &GuardArgs) -> ExitCode {
    tool::guard(&args.command)
}

/// `llm-operator post-render`: called by Helm.
pub fn post_render(args: &PostRenderArgs) -> ExitCode {
    tool::post_render(&args.options)
}

/// This executable, by a path that works from anywhere.
pub fn executable() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("the path of this executable is not known: {error}"))
}

/// Of this process alone: two operators on one machine must not share kubeconfigs.
pub fn own_home() -> PathBuf {
    let home = format!("llm-operator-helm-{}", std::process::id());
    std::env::temp_dir().join(Path::new(&home))
}
