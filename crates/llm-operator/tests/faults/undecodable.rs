//! Stored objects that do not fit the operator's types, as after a downgrade.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use testkit::{Cluster, NodeSpec};

use crate::common::{
    PATIENCE, Space, install, operator_access,
    scrape::scrape,
    stand::{SMALL_MODEL, small_deployments},
    start_operator,
};

/// With definitions of another version a stored deployment and a stored model cannot be read: the log and a metric name
/// them, all others are served, and the deployment is served once it can be read.
#[tokio::test]
async fn unreadable_objects_harm_nobody() {
    let cluster = Cluster::builder()
        .node(NodeSpec::cpu("cpu-0").room_for(50))
        .start()
        .await
        .unwrap();
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    install(cluster, false).await;
    let loose: Vec<String> = api::crds()
        .into_iter()
        .map(|crd| serde_json::to_string(&loosened(crd)).unwrap())
        .collect();
    let loose = loose.join("\n---\n");
    cluster.apply_yaml(&loose).await.unwrap();
    let space = Space::of(cluster, "skew").await;
    space.apply(SMALL_MODEL).await;
    let strange = small_deployments(["strange"]).replace("replicas: 1", "replicas: {from: 1, to: 4}");
    space.apply(&strange).await;
    space
        .apply(
            &SMALL_MODEL
                .replace("name: small", "name: odd")
                .replace("modelName: \"Small\"", "modelName: [1, 2]"),
        )
        .await;
    space.apply(&small_deployments(["early"])).await;
    space
        .apply(&small_deployments(["user-of-odd"]).replace("modelRef: small", "modelRef: odd"))
        .await;

    let access = operator_access(cluster).await;
    let operator = start_operator(&access, "skew", &["--leader-elect", "false"]).await;
    space.apply(&small_deployments(["late"])).await;
    space.wait_state("early", "Ready").await;
    space.wait_state("late", "Ready").await;
    space.wait_state("user-of-odd", "Invalid").await;
    let sentence = space.wait_reason("user-of-odd", "InvalidSpec").await;
    assert!(sentence.contains("LLMModel odd cannot be read"), "{sentence}");

    let log = operator.process.log();
    for name in ["strange", "odd"] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("{}/{name}", space.namespace)))
            .unwrap_or_else(|| panic!("the log names {name}:\n{log}"));
        assert!(line.contains("cannot be read"), "{line}");
    }
    let metrics = scrape(&operator).await;
    for kind in ["LLMDeployment", "LLMModel"] {
        assert!(
            metrics.sum(
                "llm_operator_reconcile_errors_total",
                &[("kind", kind), ("reason", "Unreadable")]
            ) >= 1.0,
            "{kind}"
        );
    }
    assert!(
        space
            .api::<Deployment>()
            .get_opt("strange")
            .await
            .unwrap()
            .is_none(),
        "nothing is made from what is not understood"
    );

    space.apply(&small_deployments(["strange"])).await;
    space.wait_state("strange", "Ready").await;

    // What was understood once and is no longer keeps what it has.
    space
        .apply(&small_deployments(["late"]).replace("replicas: 1", "replicas: {from: 1, to: 4}"))
        .await;
    testkit::until("the log names it", PATIENCE, async || {
        let log = operator.process.log();
        let told = log.lines().any(|line| {
            line.contains("cannot be read") && line.contains(&format!("{}/late", space.namespace))
        });
        told.then_some(())
    })
    .await
    .unwrap();
    let kept: Deployment = space.api().get("late").await.unwrap();
    assert!(kept.metadata.deletion_timestamp.is_none());
}

/// The same definition, but with a spec of any shape.
fn loosened(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = None;
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|schema| schema.properties.as_mut()).unwrap();
        let any = JSONSchemaProps {
            type_: Some("object".to_owned()),
            x_kubernetes_preserve_unknown_fields: Some(true),
            ..JSONSchemaProps::default()
        };
        properties.insert("spec".to_owned(), any);
        if let Some(scale) = version.subresources.as_mut() {
            scale.scale = None;
        }
    }
    crd
}
