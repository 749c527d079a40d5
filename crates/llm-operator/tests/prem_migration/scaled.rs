//! Replicas that somebody else has set are not set back by a take-over (1.7-12).

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::{
    New, cluster,
    common::Space,
    old::{made, manifest, migrate_from, objects},
    seen::{running, settled, wait_taken_over, wait_word},
};

const AUTOSCALER: &str = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaler}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: simple}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
";

async fn wait_replicas(space: &Space, replicas: i32) {
    let is = |one: &Deployment| one.spec.as_ref().unwrap().replicas == Some(replicas) && settled(one);
    space.wait(&format!("{replicas} replicas"), "simple", is).await;
}

/// Promises: S4-31
#[tokio::test]
async fn by_a_person() {
    let space = Space::of(cluster().await, "person").await;
    migrate_from(&space, "test.yaml").await;
    let (worked, said) = space
        .kubectl(&["scale", "deployment/simple", "--replicas=3"])
        .await;
    assert!(worked, "{said}");
    wait_replicas(&space, 3).await;
    let before = running(&space, "simple").await;
    assert_eq!(before.pods.len(), 3);
    let _new = New::start("person", &[&space.namespace]).await;
    wait_taken_over::<Deployment>(&space, "simple").await;
    wait_word(&space, "simple", "Ready").await;
    assert_eq!(running(&space, "simple").await, before);
}

/// Also where the resource itself names a number.
/// Promises: S4-31
#[tokio::test]
async fn by_an_autoscaler() {
    let space = Space::of(cluster().await, "scaler").await;
    let wanted = manifest("test.yaml", &space).replace("    labels:\n", "    labels:\n    replicas: 2\n");
    space.apply(&wanted).await;
    for mut object in objects("test.yaml") {
        if object["kind"] == "Deployment" {
            object["spec"]["replicas"] = json!(2);
        }
        made(&space, object).await;
    }
    space.apply(AUTOSCALER).await;
    wait_replicas(&space, 3).await;
    let before = running(&space, "simple").await;
    let _new = New::start("scaler", &[&space.namespace]).await;
    wait_taken_over::<Deployment>(&space, "simple").await;
    wait_word(&space, "simple", "Ready").await;
    assert_eq!(running(&space, "simple").await, before);
}
