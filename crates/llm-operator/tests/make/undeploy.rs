//! `make undeploy` lets go by a Job in the operator's image: where that comes from, and what is said where it cannot be had.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use testkit::{Cluster, ImageEntry, ImageTable, NodeSpec};

use crate::{common::image::OperatorImage, make, text};

/// A cluster with a node on which the operator's image is the operator; `name` is of its own in this program.
pub async fn with_image(name: &str) -> Cluster {
    let image = OperatorImage::new(name, Path::new("/nowhere/helm"));
    let broken = ["sh", "-c", "echo this program is not the operator >&2; exit 3"];
    let images = ImageTable::default()
        .with("llm-operator", image.entry())
        .with("example/llm-operator", image.entry())
        .with("example/private", image.entry().private())
        .with("example/broken", ImageEntry::commands(&broken).user(65532));
    let cluster = Cluster::builder()
        .node(NodeSpec::h100("gpu-0", 1))
        .node_options(images);
    let cluster = cluster.start().await.unwrap();
    image.serve_in(&cluster);
    cluster
}

/// Objects of the operator's own that are left anywhere, as kubectl names them.
pub async fn left_overs(cluster: &Cluster) -> Vec<String> {
    let kinds = "deployments,jobs,pods,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,clusterroles,\
                 clusterrolebindings";
    let output = cluster
        .kubectl(&["get", kinds, "-A", "-o", "name"])
        .await
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let all = text(&output);
    let ours = all.lines().filter(|line| line.contains("llm-operator"));
    ours.map(str::to_owned).collect()
}

/// A registry that asks for a password gives the Job's Pod what it gives the operator's.
#[tokio::test]
async fn the_job_is_pulled_as_the_operator_is() {
    let cluster = with_image("make-private").await;
    let kubeconfig = cluster.kubeconfig();
    let kubectl = format!("KUBECTL={}", cluster.kubectl_path().display());
    let deployed = make(
        &["deploy", "IMG=example/private:test", &kubectl],
        &[("KUBECONFIG", &kubeconfig)],
    )
    .await;
    assert!(deployed.status.success(), "{}", text(&deployed));
    let secret = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "registry", "namespace": "llm-system"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{\"auths\": {}}"},
    });
    cluster.apply_yaml(&secret.to_string()).await.unwrap();
    let deployments: Api<Deployment> = Api::namespaced(cluster.admin_client().await.unwrap(), "llm-system");
    let pod = serde_json::json!({
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"kubernetes.io/hostname": "gpu-0"},
    });
    // No Pod of the operator brings the image to the node before the Job's.
    let patch = Patch::Strategic(serde_json::json!({"spec": {"replicas": 0, "template": {"spec": pod}}}));
    deployments
        .patch("llm-operator", &PatchParams::default(), &patch)
        .await
        .unwrap();

    let removed = make(&["undeploy", &kubectl], &[("KUBECONFIG", &kubeconfig)]).await;
    let said = text(&removed);
    assert!(removed.status.success(), "{said}");
    // The definitions are seconds old, and the API server not ready for all of them: the Job's first Pod waits for it.
    assert!(!said.contains(": Failed"), "{said}");
    assert_eq!(left_overs(&cluster).await, Vec::<String>::new());
}

/// Where nobody can let go nothing is removed, and who reads on knows why, and how to go on.
#[tokio::test]
async fn what_keeps_the_job_from_its_work_is_told() {
    let cluster = with_image("make-undeploy").await;
    let kubeconfig = cluster.kubeconfig();
    let kubectl = format!("KUBECTL={}", cluster.kubectl_path().display());
    let run = async |args: &[&str]| {
        let args = [args, &[&kubectl]].concat();
        let output = make(&args, &[("KUBECONFIG", &kubeconfig)]).await;
        (output.status.success(), text(&output))
    };
    let deployments: Api<Deployment> = Api::namespaced(cluster.admin_client().await.unwrap(), "llm-system");
    let (done, said) = run(&["deploy", "IMG=example/nowhere:test"]).await;
    assert!(done, "{said}");

    // The image of the Deployment, then one that is named.
    for (args, word) in [
        (&["undeploy"][..], "ImagePullBackOff"),
        (
            &["undeploy", "IMG=example/broken:test"],
            "this program is not the operator",
        ),
    ] {
        let (done, said) = run(args).await;
        assert!(!done && said.contains(word), "{said}");
        for way_out in ["nothing is removed", "make undeploy IMG=", "SKIP_RELEASE=1"] {
            assert!(said.contains(way_out), "{way_out}: {said}");
        }
        assert!(deployments.get_opt("llm-operator").await.unwrap().is_some());
        let left = left_overs(&cluster).await;
        assert!(!left.iter().any(|name| name.contains("uninstall")), "{left:?}");
    }

    let (done, said) = run(&["undeploy", "SKIP_RELEASE=1"]).await;
    assert!(done && said.contains("stay as they are"), "{said}");
    assert_eq!(left_overs(&cluster).await, Vec::<String>::new());
    // Nobody is there, and no image was named: nothing to do, and nothing to fail at.
    let (done, said) = run(&["undeploy"]).await;
    assert!(done && said.contains("there is no Deployment"), "{said}");
}
