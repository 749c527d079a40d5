//! A model at zero while operators come and go, and where no autoscaler is.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler};
use serde_json::{Value, json};
use testkit::plane::audit::Filter;

use crate::{
    common::PATIENCE,
    look::{Scaled, condition, spec},
    place::Place,
};

/// Until a model that is idle is gone: the shortest time, two decisions, and what comes late.
const GOES: Duration = Duration::from_mins(2);
/// Two decisions and more.
const DECISIONS: Duration = Duration::from_secs(40);

fn is_ready(status: &Value) -> bool {
    status["state"] == "Ready"
}

fn is_zero(status: &Value) -> bool {
    status["state"] == "Stopped" && status["replicas"] == 0 && status["scaling"]["reason"] == "ScaledToZero"
}

/// A model that goes after half a minute.
async fn idle(place: &Place) {
    let scaling = json!({"timePerOutputToken": "100ms", "maxReplicas": 4, "idleAfter": "30s"});
    let resource = spec("LLMModel", "chat", json!({"replicas": 1, "scaling": scaling}));
    place.space.apply(&resource).await;
}

async fn wake(scaled: &Scaled<'_>, word: &str) {
    let annotation = format!("llm-operator.io/wake={word}");
    let args = ["annotate", scaled.kind, scaled.name, "--overwrite", &annotation];
    assert!(scaled.space.kubectl(&args).await.0);
}

async fn asked(place: &Place) -> Option<i32> {
    let deployment = place.space.api::<Deployment>().get("chat").await.unwrap();
    deployment.spec.unwrap().replicas
}

/// Killed at zero and started again, it writes nothing and wakes nobody; who asked while no operator ran is heard, and so is who asks
/// twice. An operator that dies on the way up goes on.
#[tokio::test]
async fn zero_outlives_the_operator() {
    let place = Place::new().await;
    let mut operator = place.operator("old", &["--leader-elect", "false"]).await;
    idle(&place).await;
    let scaled = place.scaled("chat");
    scaled.wait("Ready", PATIENCE, is_ready).await;
    wake(&scaled, "0").await;
    let before = scaled.wait("zero", GOES, is_zero).await;
    assert_eq!(before["scaling"]["wakeSeen"], "0", "{before}");
    // The last words about it are said.
    tokio::time::sleep(DECISIONS).await;
    let before = scaled.status().await;
    operator.process.kill9();
    let log = place.cluster.audit_log();
    let mark = log.mark();
    let mut operator = place.operator("new", &["--leader-elect", "false"]).await;
    tokio::time::sleep(DECISIONS).await;
    let writes = log.requests_since(&mark, &Filter::user("llm-operator")).unwrap();
    let about: Vec<_> = writes
        .iter()
        .filter(|one| one.is_write() && one.namespace == place.space.namespace)
        .collect();
    assert!(about.is_empty(), "{about:#?}");
    assert_eq!((asked(&place).await, scaled.status().await), (Some(0), before));

    operator.process.kill9();
    wake(&scaled, "1").await;
    let mut operator = place.operator("third", &["--leader-elect", "false"]).await;
    let waking = |status: &Value| status["scaling"]["desiredReplicas"] == 1;
    scaled.wait("on its way", PATIENCE, waking).await;
    operator.process.kill9();
    let operator = place.operator("fourth", &["--leader-elect", "false"]).await;
    scaled.wait("Ready", PATIENCE, is_ready).await;
    drop(operator);
}

/// Without an autoscaler the same: the operator sets the number on `/scale`, and hears whoever else does.
/// Promises: S2-21
#[tokio::test]
async fn to_zero_and_back_without_an_autoscaler() {
    let place = Place::new().await;
    // The address is taken, so there is no metrics API.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let access = crate::common::operator_access(place.cluster).await;
    let args = [
        "--leader-elect",
        "false",
        "--external-metrics",
        "true",
        "--external-metrics-address",
        &address,
    ];
    let operator = crate::common::start_operator(&access, "scale", &args).await;
    idle(&place).await;
    let scaled = place.scaled("chat");
    scaled.wait("Ready", PATIENCE, is_ready).await;
    let status = scaled.wait("zero", GOES, is_zero).await;
    assert_eq!(status["scaling"]["transport"], "Scale", "{status}");
    assert!(
        place
            .space
            .api::<HorizontalPodAutoscaler>()
            .get_opt("chat")
            .await
            .unwrap()
            .is_none()
    );
    tokio::time::sleep(DECISIONS).await;
    assert_eq!(asked(&place).await, Some(0), "{}", scaled.status().await);

    let scale = ["scale", "deployment", "chat", "--replicas=2"];
    assert!(place.space.kubectl(&scale).await.0);
    let two = |status: &Value| is_ready(status) && status["readyReplicas"] == 2;
    let status = scaled.wait("two serve", PATIENCE, two).await;
    assert!(
        condition(&status, "ScalingActive")["message"]
            .as_str()
            .unwrap()
            .contains("/scale"),
        "{status}"
    );
    // And somebody who sets zero is heard, too.
    let stop = ["scale", "deployment", "chat", "--replicas=0"];
    assert!(place.space.kubectl(&stop).await.0);
    let status = scaled.wait("stopped by hand", PATIENCE, is_zero).await;
    assert!(
        status["scaling"]["message"]
            .as_str()
            .unwrap()
            .contains("somebody set"),
        "{status}"
    );
    wake(&scaled, "1").await;
    scaled.wait("Ready", PATIENCE, is_ready).await;
    drop(operator);
}
