//! Resources of one name that were made while no operator ran: the oldest has the name, whatever its kind.

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::json;
use testkit::{Cluster, NodeSpec};
use tokio::sync::OnceCell;

use crate::{
    common::{PATIENCE, Space, install, operator_access, start_operator},
    seen::{kubectl, resource, small, small_set},
};

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
const KINDS: [&str; 2] = ["LLMModel", "ModelDeployment"];

/// Age is told in whole seconds, so the resources are made in two waves.
#[tokio::test]
async fn the_oldest_has_the_name() {
    let cluster = CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::builder()
                .node(NodeSpec::h100("gpu", 8))
                .start()
                .await
                .unwrap();
            install(&cluster, true).await;
            cluster
        })
        .await;
    let space = Space::named(cluster, "elders").await;
    let spec = |kind: &str| match kind {
        "LLMModel" => small(json!({"replicas": 0})),
        _ => small_set(json!({"replicas": 0})),
    };
    for kind in KINDS {
        let name = format!("first-{}", kind.to_lowercase());
        space.apply(&resource(kind, &name, spec(kind))).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for (kind, other) in KINDS.into_iter().zip(KINDS.into_iter().rev()) {
        let name = format!("first-{}", other.to_lowercase());
        space.apply(&resource(kind, &name, spec(kind))).await;
    }
    let access = operator_access(cluster).await;
    let _operator = start_operator(&access, "elders", &["--leader-elect", "false"]).await;
    for (kind, other) in KINDS.into_iter().zip(KINDS.into_iter().rev()) {
        let name = format!("first-{}", kind.to_lowercase());
        let service = space.wait::<Service>("made", &name, |_| true).await;
        assert_eq!(service.owner_references()[0].kind, kind);
        let full = format!("{}.ai.example.com/{name}", other.to_lowercase() + "s");
        let path = [
            "get",
            &full,
            "-o",
            "jsonpath={.status.state} {.status.conditions[*].message}",
        ];
        testkit::until(format!("{full} is told"), PATIENCE, async || {
            let said = kubectl(&space, &path).await;
            let told = said.starts_with("Blocked") && said.contains(&format!("{kind} {name}"));
            told.then_some(()).ok_or(said)
        })
        .await
        .unwrap();
    }
}
