//! Somebody else's adapter.

use k8s_openapi::{
    api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler},
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use crate::{
    common::PATIENCE,
    look::{condition, lowest},
    place::{Place, several},
};

const THEIRS: &str = "v1beta1.external.metrics.k8s.io";

/// Another adapter is left alone, and the number goes another way; when it goes, an autoscaler comes, without a dip.
/// Promises: S2-21
#[tokio::test]
async fn another_adapter_is_left_alone() {
    let place = Place::new().await;
    let theirs = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": THEIRS}, "spec": {
        "group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
        "insecureSkipTLSVerify": true, "service": {"name": "keda-metrics", "namespace": "default"}}});
    place.cluster.apply_yaml(&theirs.to_string()).await.unwrap();
    let operator = place.operator("adapter", &["--leader-elect", "false"]).await;
    place.promised("chat").await;
    let scaled = place.scaled("chat");
    let status = scaled.wait("several", PATIENCE, several).await;
    assert_eq!(status["scaling"]["transport"], "Scale", "{status}");
    let said = condition(&status, "ScalingActive")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains("keda-metrics") && said.contains("/scale"), "{said}");
    assert!(scaled.autoscaler().await.is_none());
    let desired = status["scaling"]["desiredReplicas"].as_i64().unwrap();
    let as_decided =
        move |one: &Deployment| one.spec.as_ref().unwrap().replicas.map(i64::from) == Some(desired);
    place.space.wait("as decided", "chat", as_decided).await;

    let lowest = lowest(&place.space, "chat");
    let services: Api<APIService> = Api::all(place.space.client.clone());
    let still = services.get(THEIRS).await.unwrap();
    assert_eq!(
        still.spec.unwrap().service.unwrap().name.as_deref(),
        Some("keda-metrics")
    );
    services.delete(THEIRS, &DeleteParams::default()).await.unwrap();
    place
        .space
        .wait("it comes", "chat", |one: &HorizontalPodAutoscaler| {
            one.status
                .as_ref()
                .is_some_and(|status| i64::from(status.desired_replicas) == desired)
        })
        .await;
    let by_metric = |status: &Value| status["scaling"]["transport"] == "Metric";
    let status = scaled.wait("by metric", PATIENCE, by_metric).await;
    assert!(
        !condition(&status, "ScalingActive")["message"]
            .as_str()
            .unwrap()
            .contains("keda"),
        "{status}"
    );
    assert_eq!(i64::from(lowest.end().await), desired, "it dipped");
    drop(operator);
}
