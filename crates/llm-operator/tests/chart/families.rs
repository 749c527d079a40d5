//! Families switched on and off on a release that serves.

use crate::{
    bed::{TURN, cluster, kubectl, nothing_is_left, run_helm, says},
    life::{rolled_out, serve, served},
};

const LABELER: &str = "
apiVersion: premlabs.io/v1alpha1
kind: AutoNodeLabeler
metadata: {name: checked, namespace: team-f}
spec:
  matchExpression: {key: kubernetes.io/hostname, operator: Exists}
  labels: {example.com/checked: 'VALUE'}
";

async fn labeler(value: &str) {
    let labeler = LABELER.replace("VALUE", value);
    cluster().await.apply_yaml(&labeler).await.unwrap();
}

async fn with_families(families: &str) {
    let values = format!("families={{{families}}},replicas=1");
    run_helm(&[
        "upgrade",
        "llm-operator",
        "./helm-charts/llm-operator",
        "--install",
        "--set",
        &values,
        "--wait",
        "--timeout",
        "60s",
    ])
    .await;
    rolled_out("default").await;
}

/// That the operator works as it should with the rights that are left: it serves, and has asked for nothing that it may not.
async fn works_within_its_rights() {
    let ready = "get llmdeployment -n team-f chat-service -o jsonpath={.status.state}";
    says(ready, "Ready").await;
    let log = kubectl("logs -l app=llm-operator --tail=-1").await;
    assert!(!log.contains("forbidden") && !log.contains("may not"), "{log}");
}

/// What a family has made stays when it is switched off, nothing of it is looked at, and it is caught up with afterwards. Nothing that
/// serves notices. The removal lets go of finalizers of families that are off, too.
#[tokio::test]
async fn families_come_and_go_under_what_serves() {
    let _turn = TURN.lock().await;
    let node = "get node gpu-0 -o jsonpath={.metadata.labels.example\\.com/checked}";
    kubectl("create namespace team-f").await;
    with_families("llm").await;
    labeler("one").await;
    let before = serve("team-f").await;
    works_within_its_rights().await;
    let status =
        kubectl("get autonodelabeler -n team-f checked -o jsonpath={.status}{.metadata.finalizers}").await;
    assert_eq!((status.as_str(), kubectl(node).await.as_str()), ("", ""));

    with_families("llm,prem").await;
    says(node, "one").await;
    works_within_its_rights().await;

    with_families("llm").await;
    labeler("two").await;
    // Whatever the operator is about to do for the labeler, it does for this first.
    kubectl("scale llmdeployment -n team-f chat-service --replicas=2").await;
    let replicas = "get llmdeployment -n team-f chat-service -o jsonpath={.status.readyReplicas}";
    says(replicas, "2").await;
    works_within_its_rights().await;
    assert_eq!(kubectl(node).await, "one", "what a family has made stays");

    with_families("llm,prem").await;
    says(node, "two").await;
    let now = served("team-f").await;
    for served in before.lines() {
        assert!(
            now.contains(served),
            "families restart nothing: {before} became {now}"
        );
    }

    with_families("llm").await;
    run_helm(&["uninstall", "llm-operator", "--wait", "--timeout", "90s"]).await;
    nothing_is_left().await;
    kubectl("delete namespace team-f --timeout=60s").await;
}
