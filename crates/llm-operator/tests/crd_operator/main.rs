//! The documents' tour of definitions and operators: `examples/crd-operator` and `examples/ai`, run as a person would.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod deletion;
mod examples;
mod kubectl;
mod pod;
mod practices;
mod scripts;
mod simple;

use std::process::Output;

use testkit::{Cluster, ClusterBuilder, NodeOptions, NodeSpec, node::Speed};

/// Long enough for all scripts, one after the other, on a loaded machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(4);

/// One node of 8 x H100 on which weights load in a moment.
fn plane(options: NodeOptions) -> ClusterBuilder {
    let options = NodeOptions {
        speed: Speed::loading(1000.0),
        ..options
    };
    Cluster::builder()
        .node(NodeSpec::h100("gpu-0", 8))
        .node_options(options)
}

/// The cluster and operator that tests share.
async fn bed() -> &'static common::Bed {
    common::bed_with(|| plane(NodeOptions::default())).await
}

/// Runs a script of `examples/crd-operator` from the root of the repository; whether it passed, and what it said.
async fn script(cluster: &Cluster, name: &str) -> (bool, String) {
    let path = common::root().join("examples/crd-operator").join(name);
    let run = tokio::process::Command::new(path)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECTL", cluster.kubectl_path())
        .env("TIMEOUT", "60")
        .current_dir(common::root())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    let said = text(&output);
    // Shown when a test fails.
    println!("{name}:\n{said}");
    (output.status.success(), said)
}

/// The same where it has to pass.
async fn passes(cluster: &Cluster, name: &str) -> String {
    let (passed, said) = script(cluster, name).await;
    assert!(passed, "{name}:\n{said}");
    said
}

/// kubectl as administrator; whether it worked, and what it said.
async fn try_kubectl(cluster: &Cluster, args: &[&str]) -> (bool, String) {
    let output = cluster.kubectl(args).await.unwrap();
    (output.status.success(), text(&output))
}

/// The same where it has to work.
async fn kubectl(cluster: &Cluster, args: &[&str]) -> String {
    let (worked, said) = try_kubectl(cluster, args).await;
    assert!(worked, "kubectl {args:?}: {said}");
    said
}

/// Standard output and error, one after the other.
fn text(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}
