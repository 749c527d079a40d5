//! A cluster whose administrator has closed the gate of autoscalers' tolerance, as releases before 1.35 have it.

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler};
use kube::api::{Api, ListParams};
use serde_json::Value;
use testkit::plane::audit::Filter;

use crate::{
    common::PATIENCE,
    look::condition,
    place::{Place, several},
};

const CLOSED: &str = "--feature-gates=HPAConfigurableTolerance=false";

/// The version promises what the API server does not keep. The first autoscaler shows it, and is the last: numbers go by `/scale`, also
/// of resources that come later, and nothing is written again and again.
#[tokio::test]
async fn an_autoscaler_that_is_stored_without_its_tolerance_is_the_last() {
    let place = Place::with(|cluster| cluster.api_server_flag(CLOSED)).await;
    let audit = place.cluster.audit_log();
    let mark = audit.mark();
    let operator = place.operator("tolerance", &["--leader-elect", "false"]).await;
    let by_scale = |status: &Value| several(status) && status["scaling"]["transport"] == "Scale";
    for name in ["first", "second"] {
        place.promised(name).await;
        let status = place.scaled(name).wait("by /scale", PATIENCE, by_scale).await;
        let active = condition(&status, "ScalingActive");
        let said = active["message"].as_str().unwrap();
        assert!(said.contains("does not know the tolerance"), "{said}");
        let desired = status["scaling"]["desiredReplicas"].as_i64();
        let as_decided = |one: &Deployment| one.spec.as_ref().unwrap().replicas.map(i64::from) == desired;
        place.space.wait("as decided", name, as_decided).await;
    }
    let autoscalers: Api<HorizontalPodAutoscaler> = place.space.api();
    assert!(
        autoscalers
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );

    let ours = Filter::user("llm-system:llm-operator");
    let requests = audit.requests_since(&mark, &ours).unwrap();
    let written = requests
        .iter()
        .filter(|one| one.is_write() && one.resource == "horizontalpodautoscalers");
    let written: Vec<_> = written
        .map(|one| (one.verb.as_str(), one.name.as_str(), one.status))
        .collect();
    assert_eq!(
        written,
        [("patch", "first", 201), ("delete", "first", 200)],
        "one, which shows it"
    );
    drop(operator);
}
