//! Who may reach a model, and whom it may reach.

use k8s_openapi::{
    api::networking::v1::{NetworkPolicy, NetworkPolicySpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde_json::{Value, json};

use crate::{
    common::SYSTEM_NAMESPACE,
    scene::{bed, containers, deploy, pod},
};

/// Ingress to the serving port alone and egress to everything but the metadata addresses, for exactly these Pods.
/// Promises: S2-23
#[tokio::test]
async fn only_the_port_in_and_no_metadata_out() {
    let space = bed().await.space("network").await;
    deploy(
        &space,
        "chat",
        "generic",
        json!({"port": 9000}),
        json!({"port": 80}),
    )
    .await;
    space.wait_state("chat", "Ready").await;
    let policy: NetworkPolicy = space.api().get("chat").await.unwrap();
    let spec = policy.spec.unwrap();
    let pod = pod(&space, "chat").await;
    let labels = pod.metadata.labels.clone().unwrap();
    let selected = spec.pod_selector.clone().unwrap().match_labels.unwrap();
    assert!(
        !selected.is_empty() && selected.iter().all(|(key, value)| labels.get(key) == Some(value)),
        "{selected:?}"
    );
    assert_eq!(
        spec.policy_types,
        Some(vec!["Ingress".to_owned(), "Egress".to_owned()])
    );
    let ingress = spec.ingress.clone().unwrap();
    assert_eq!(ingress.len(), 1);
    assert!(ingress[0].from.is_none(), "from anywhere");
    let ports = ingress[0].ports.as_ref().unwrap();
    assert_eq!(ports.len(), 1);
    assert_eq!(ports[0].port, Some(IntOrString::String("http".to_owned())));
    let named = containers(&pod).remove(0).ports.unwrap().remove(0);
    assert_eq!(
        (named.name.as_deref(), named.container_port),
        (Some("http"), 9000)
    );

    let blocks = blocks(&spec);
    assert_eq!(
        blocks,
        json!([
            {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]},
            {"cidr": "::/0", "except": ["fd00:ec2::254/128"]},
            {"cidr": "169.254.20.10/32"},
        ])
    );
    assert!(
        spec.egress.unwrap()[0].ports.is_none(),
        "DNS and downloads on any port"
    );
}

/// `access.from` narrows who may connect; the operator's own Pods stay admitted, and removing it opens the port again.
/// Promises: S2-23
#[tokio::test]
async fn access_narrows_but_for_the_operator() {
    let space = bed().await.space("access").await;
    let peers = json!([
        {"podSelector": {"matchLabels": {"app": "client"}}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
    ]);
    deploy(
        &space,
        "chat",
        "generic",
        json!({}),
        json!({"access": {"from": peers}}),
    )
    .await;
    let sources = |policy: &NetworkPolicy| {
        let ingress = policy.spec.as_ref()?.ingress.as_ref()?;
        serde_json::to_value(ingress[0].from.as_ref()?).ok()
    };
    let narrowed: NetworkPolicy = space
        .wait("narrowed", "chat", |policy| sources(policy).is_some())
        .await;
    let mut wanted: Vec<Value> = peers.as_array().unwrap().clone();
    wanted.push(json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM_NAMESPACE}},
        "podSelector": {"matchLabels": {"app": "llm-operator"}},
    }));
    assert_eq!(sources(&narrowed), Some(Value::from(wanted)));
    let shipped = crate::common::repository_file("config/manager/manager.yaml");
    assert!(
        shipped.contains("app: llm-operator"),
        "the operator's Pods have that label"
    );

    let (worked, said) = space
        .kubectl(&[
            "patch",
            "ldeploy",
            "chat",
            "--type=merge",
            "-p",
            r#"{"spec":{"access":null}}"#,
        ])
        .await;
    assert!(worked, "{said}");
    space
        .wait("open again", "chat", |policy: &NetworkPolicy| {
            sources(policy).is_none()
        })
        .await;
}

fn blocks(spec: &NetworkPolicySpec) -> Value {
    let rules = spec.egress.iter().flatten();
    let peers = rules.flat_map(|rule| rule.to.iter().flatten());
    let blocks = peers.filter_map(|peer| peer.ip_block.as_ref());
    blocks.map(|block| serde_json::to_value(block).unwrap()).collect()
}
