//! An operator that serves the whole cluster: labelers of several namespaces, and the end of their definition.

use api::premlabs_io::v1alpha1::AutoNodeLabeler;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::DeleteParams};
use testkit::Cluster;

use crate::{
    common::{PATIENCE, Space, install, operator_access, start_operator},
    scene::{labeler, labels_of, make_node, requests, sentence, wait_labels, wait_reason},
};

/// A cluster with definitions and roles for one test alone. It lives as long as the program.
pub async fn own_cluster() -> &'static Cluster {
    let cluster = Cluster::builder().audit().start().await.unwrap();
    install(&cluster, true).await;
    Box::leak(Box::new(cluster))
}

/// Labelers of two namespaces share a node: one apply with the union; one that loses a key is told no name of another
/// namespace. When the definition is deleted, the labels go first.
/// Promises: S4-6, S4-29
#[tokio::test]
async fn labelers_of_several_namespaces() {
    let cluster = own_cluster().await;
    let one = Space::of(cluster, "one").await;
    let two = Space::of(cluster, "two").await;
    let key = |name: &str| format!("example.com/{name}");
    make_node(&one.client, "a", &[(key("gpu"), "h100".to_owned())].into()).await;
    let of_one = [(key("one"), "1"), (key("both"), "1")].into();
    let of_two = [(key("two"), "2"), (key("both"), "2")].into();
    one.apply(&labeler("elder", &key("gpu"), "Exists", &[], &of_one))
        .await;
    let first: AutoNodeLabeler = one.api().get("elder").await.unwrap();
    let created = first.metadata.creation_timestamp.unwrap().0;
    testkit::until("the next second", PATIENCE, async || {
        (jiff::Timestamp::now().as_second() > created.as_second())
            .then_some(())
            .ok_or("not yet")
    })
    .await
    .unwrap();
    two.apply(&labeler("younger", &key("gpu"), "Exists", &[], &of_two))
        .await;

    let mark = cluster.audit_log().mark();
    let access = operator_access(cluster).await;
    let _operator = start_operator(&access, "whole", &["--leader-elect", "false"]).await;
    let expected = [("gpu", "h100"), ("one", "1"), ("two", "2"), ("both", "1")];
    let expected = expected.map(|(name, value)| (key(name), value.to_owned())).into();
    wait_labels(&one.client, "a", "example.com", &expected).await;
    wait_reason(&one, "elder", "Ready").await;
    let status = wait_reason(&two, "younger", "LabelConflict").await;
    let told = sentence(&status, "Ready");
    assert!(told.contains("a labeler in another namespace"), "{told}");
    assert!(
        !told.contains("elder") && !told.contains(&one.namespace),
        "{told}"
    );
    let writes: Vec<_> = requests(cluster, &mark)
        .into_iter()
        .filter(|request| request.resource == "nodes")
        .collect();
    assert_eq!(writes.len(), 1, "one apply with the union: {writes:?}");
    assert!(
        writes[0]
            .uri
            .ends_with("fieldManager=llm-operator-node-labels:llm-system/llm-operator"),
        "{writes:?}"
    );

    let definitions: Api<CustomResourceDefinition> = Api::all(one.client.clone());
    let name = "autonodelabelers.premlabs.io";
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    testkit::until("the definition is gone", PATIENCE, async || {
        let found = definitions.get_opt(name).await.unwrap();
        found.map_or(Ok(()), |found| Err(format!("{:?}", found.status)))
    })
    .await
    .unwrap();
    assert_eq!(labels_of(&one.client, "a", "example.com").await.len(), 1);
}
