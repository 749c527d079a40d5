//! The cluster of this program: a node on which the operator's image is the operator.

use std::{process::Output, sync::OnceLock};

use testkit::{Cluster, ImageTable, NodeSpec};
use tokio::sync::Mutex;

use crate::{
    common::{PATIENCE, image::OperatorImage},
    rendered::{helm, helm_path, text},
};

/// A cluster has one operator at a time.
pub static TURN: Mutex<()> = Mutex::const_new(());

fn image() -> &'static OperatorImage {
    static IMAGE: OnceLock<OperatorImage> = OnceLock::new();
    IMAGE.get_or_init(|| OperatorImage::new("chart", helm_path()))
}

/// The cluster that all tests of this program share.
pub async fn cluster() -> &'static Cluster {
    let cluster = testkit::shared(|| {
        Cluster::builder()
            .node(NodeSpec::h100("gpu-0", 8))
            .node_options(ImageTable::default().with("llm-operator", image().entry()))
    })
    .await
    .unwrap();
    image().serve_in(cluster);
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

/// Waits until no object of the operator's own is left anywhere: Helm does not wait for the Pod of the Job that it has deleted, which
/// Kubernetes' garbage collector removes.
pub async fn nothing_is_left() {
    let kinds = "deployments,jobs,pods,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,\
                 clusterroles,clusterrolebindings";
    testkit::until("nothing of the operator is left", PATIENCE, async || {
        let all = kubectl(&format!("get {kinds} -A -o name")).await;
        let ours: Vec<&str> = all.lines().filter(|line| line.contains("llm-operator")).collect();
        if ours.is_empty() {
            Ok(())
        } else {
            Err(ours.join(" "))
        }
    })
    .await
    .unwrap();
}
