//! The real kubectl, as a person would use it.
//!
//! In: arguments. Out: what it prints, or what it says is wrong.

use std::process::Command;

use testkit::Cluster;

/// Runs kubectl as the cluster's administrator.
pub fn kubectl(cluster: &Cluster, args: &[&str]) -> Result<String, String> {
    let output = Command::new(cluster.kubectl_path())
        .env("KUBECONFIG", cluster.kubeconfig())
        .args(args)
        .output()
        .map_err(|error| format!("kubectl: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "kubectl {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
