//! The cluster of this program: a node on which the operator's image is the operator.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Output, sync::OnceLock};

use testkit::{Cluster, ImageEntry, ImageTable, NodeSpec};
use tokio::sync::Mutex;

use crate::{
    common::PATIENCE,
    rendered::{helm, helm_path, text},
};

/// A cluster has one operator at a time.
pub static TURN: Mutex<()> = Mutex::const_new(());

/// Where the entry point finds what only this program knows.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chart-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    })
}

/// The image's entry point: the operator with its `ServiceAccount`'s token as the Pod has it mounted, at the Pod's address.
fn entry_point() -> PathBuf {
    let script = r#"#!/bin/sh
set -eu
cat >"$HOME/kubeconfig" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "pod",
 "clusters": [{"name": "pod", "cluster": {"server": "$(cat FOLDER/server)", "certificate-authority": "$ACCOUNT/ca.crt"}}],
 "users": [{"name": "pod", "user": {"tokenFile": "$ACCOUNT/token"}}],
 "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}]}
END
export KUBECONFIG="$HOME/kubeconfig" HELM=HELM_PROGRAM
export HTTP_ADDRESS="$SIMULATED_POD_ADDRESS:8080" EXTERNAL_METRICS_ADDRESS="$SIMULATED_POD_ADDRESS:6443"
exec OPERATOR "$@"
"#;
    let script = script
        .replace("FOLDER", &folder().to_string_lossy())
        .replace("HELM_PROGRAM", &helm_path().to_string_lossy())
        .replace("OPERATOR", env!("CARGO_BIN_EXE_llm-operator"));
    let path = folder().join("entry-point");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The cluster that all tests of this program share.
pub async fn cluster() -> &'static Cluster {
    let cluster = testkit::shared(|| {
        let entry_point = entry_point();
        let mut entry = ImageEntry::commands(&[entry_point.to_str().unwrap(), "run"]);
        // The arguments of a Pod are the operator's, as with the image of the Dockerfile.
        entry.image.command = vec![entry.image.entrypoint.pop().unwrap()];
        let account = "/var/run/secrets/kubernetes.io/serviceaccount";
        entry.image.env.insert("ACCOUNT".to_owned(), account.to_owned());
        Cluster::builder()
            .node(NodeSpec::h100("gpu-0", 8))
            .node_options(ImageTable::default().with("llm-operator", entry.user(65532)))
    })
    .await
    .unwrap();
    std::fs::write(folder().join("server"), cluster.url()).unwrap();
    cluster
}

/// Helm on the cluster; it must succeed. What it says.
pub async fn run_helm(args: &[&str]) -> String {
    let output = try_helm(args).await;
    let said = text(&output);
    assert!(output.status.success(), "helm {args:?}: {said}");
    said
}

/// Helm on the cluster.
pub async fn try_helm(args: &[&str]) -> Output {
    let kubeconfig = cluster().await.kubeconfig();
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        helm(&args, "", &[("KUBECONFIG", &kubeconfig)])
    })
    .await
    .unwrap()
}

/// kubectl on the cluster, in the root of the repository; it must succeed. What it says.
pub async fn kubectl(line: &str) -> String {
    let args: Vec<&str> = line.split(' ').collect();
    let output = cluster().await.kubectl(&args).await.unwrap();
    let said = text(&output);
    assert!(output.status.success(), "kubectl {line}: {said}");
    said
}

/// Waits until kubectl says something.
pub async fn says(line: &str, words: &str) {
    let args: Vec<&str> = line.split(' ').collect();
    let cluster = cluster().await;
    testkit::until(format!("kubectl {line} says {words}"), PATIENCE, async || {
        let said = text(&cluster.kubectl(&args).await.unwrap());
        if said.contains(words) { Ok(()) } else { Err(said) }
    })
    .await
    .unwrap();
}

/// Objects of the operator's own that are left anywhere, each as kubectl names it.
pub async fn left_overs() -> String {
    let kinds = "deployments,jobs,pods,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,\
                 clusterroles,clusterrolebindings";
    let all = kubectl(&format!("get {kinds} -A -o name")).await;
    let ours = all.lines().filter(|line| line.contains("llm-operator"));
    ours.collect::<Vec<_>>().join(" ")
}
