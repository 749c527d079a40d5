//! Several installations on one cluster, and one whose list of namespaces changes.

use api::{premlabs_io::v1alpha1::AutoNodeLabeler, shared::State};

use crate::{
    common::{Space, operator_access, stand::cluster, start_operator},
    scene::{Scene, labeler, sentence, wait_reason},
};

/// Two installations leave each other's labels alone. When one no longer watches a namespace, it removes what the labelers
/// there have set, and the other has its way.
#[tokio::test]
async fn each_keeps_what_it_has_set() {
    let mut scene = Scene::new("first").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold"), ("own", "1")])
        .await;
    scene.wait("gpus", "Ready").await;
    let both = [("gpu", "h100"), ("tier", "gold"), ("own", "1")];
    scene.wait_labels("a", &both).await;

    let other = Space::of(cluster().await, "second").await;
    let labels = [(scene.key("tier"), "lead")].into();
    other
        .apply(&labeler("gpus", &scene.key("gpu"), "Exists", &[], &labels))
        .await;
    let access = operator_access(cluster().await).await;
    let watching = |lease: &str, namespace: &str| {
        [
            "--leader-elect",
            "false",
            "--lease-name",
            lease,
            "--watch-namespace",
            namespace,
        ]
        .map(str::to_owned)
    };
    let args = watching(&other.namespace, &other.namespace);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (mark, lease) = (scene.mark().await, scene.space().namespace.clone());
    let _second = start_operator(&access, &other.namespace, &args).await;
    let status = wait_reason(&other, "gpus", "LabelTaken").await;
    assert_eq!(status.state, Some(State::Blocked));
    let told = sentence(&status, "Ready");
    assert!(told.contains("another installation of this operator"), "{told}");
    assert!(!told.contains("llm-operator-node-labels"), "{told}");
    assert!(scene.node_writes(&mark).await.is_empty());
    scene.wait_labels("a", &both).await;

    // The first watches another namespace from now on; its labels are still its own.
    let empty = Space::of(cluster().await, "empty").await;
    scene.stand.operator.process.kill9();
    let args = watching(&lease, &empty.namespace);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    scene.stand.operator = start_operator(&access, &format!("{lease}-elsewhere"), &args).await;
    scene.wait_labels("a", &[("gpu", "h100"), ("tier", "lead")]).await;
    wait_reason(&other, "gpus", "Ready").await;

    // Nobody takes the finalizer off in the namespace that left, so the documented command does.
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    let command = tokio::process::Command::new(env!("CARGO_BIN_EXE_llm-operator"))
        .args(["release", "--unwatched-namespace"])
        .arg(format!("elsewhere,{lease}"))
        .env("KUBECONFIG", cluster().await.kubeconfig())
        .output();
    let output = command.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    scene.space().wait_gone::<AutoNodeLabeler>("gpus").await;
    let kept: AutoNodeLabeler = other.api().get("gpus").await.unwrap();
    assert!(kept.metadata.finalizers.is_some(), "only where it was told to");
}
