//! The way back: this operator stops, prem-operator starts again and updates its objects as it always did.

use crate::{
    New, cluster,
    common::Space,
    old::{look, migrate_from, objects},
    seen::{running, wait_word},
};

#[tokio::test]
async fn no_pod_restarts_on_the_way_back_and_forth() {
    let space = Space::of(cluster().await, "back").await;
    migrate_from(&space, "rich.yaml").await;
    let before = running(&space, "rich").await;
    let new = New::start("back", &[&space.namespace]).await;
    wait_word(&space, "rich", "Ready").await;
    new.stop().await;
    for object in objects("rich.yaml") {
        look(&space, object).await;
    }
    assert_eq!(running(&space, "rich").await, before);
    let _new = New::start("forth", &[&space.namespace]).await;
    for kind in ["Deployment", "Service", "Ingress"] {
        let resource = format!("{kind}/rich").to_lowercase();
        let label = "--for=jsonpath={.metadata.labels.app\\.kubernetes\\.io/managed-by}=llm-operator";
        let (worked, said) = space.kubectl(&["wait", &resource, label, "--timeout=60s"]).await;
        assert!(worked, "{said}");
    }
    wait_word(&space, "rich", "Ready").await;
    assert_eq!(running(&space, "rich").await, before);
}
