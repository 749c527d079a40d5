//! Others at the same workload: a person's autoscaler, engines that stop to answer.

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler};
use serde_json::{Value, json};
use testkit::node::Target;

use crate::{
    bed,
    common::PATIENCE,
    look::{Scaled, condition, lowest, spec},
};

const LLM_MODEL: &str = "llmmodels.ai.example.com";

/// A throughput that needs several replicas without any load.
fn promised() -> Value {
    json!({"replicas": 1, "scaling": {"outputTokensPerSecond": 40_000, "maxReplicas": 4}})
}

fn several(status: &Value) -> bool {
    status["scaling"]["desiredReplicas"].as_i64() > Some(1)
        && status["state"] == "Ready"
        && status["readyReplicas"] == status["scaling"]["desiredReplicas"]
}

/// A person's autoscaler is left alone, and takes the place of ours; when it goes, ours comes back without a dip.
#[tokio::test]
async fn a_persons_autoscaler_wins() {
    let space = bed().await.space("person").await;
    space.apply(&spec("LLMModel", "chat", promised())).await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    let status = scaled.wait("several", PATIENCE, several).await;
    assert_eq!(status["scaling"]["transport"], "Metric", "{status}");
    let theirs = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "mine"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}, "minReplicas": 3, "maxReplicas": 3,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}});
    space.apply(&theirs.to_string()).await;
    space.wait_gone::<HorizontalPodAutoscaler>("chat").await;
    let status = scaled.wait_decided("AnotherAutoscaler", PATIENCE).await;
    let said = condition(&status, "ScalingActive")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains("mine"), "{said}");
    space
        .wait("theirs", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas == Some(3)
        })
        .await;

    let lowest = lowest(&space, "chat");
    space.delete::<HorizontalPodAutoscaler>("mine").await;
    space
        .wait("ours", "chat", |_: &HorizontalPodAutoscaler| true)
        .await;
    let status = scaled.wait("ours", PATIENCE, several).await;
    let desired = status["scaling"]["desiredReplicas"].as_i64().unwrap();
    space
        .wait("as decided", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas.map(i64::from) == Some(desired)
        })
        .await;
    assert!(i64::from(lowest.end().await) >= desired.min(3), "it dipped");
}

/// What a person does to our autoscaler says nothing about the cluster: it is put back, and goes on carrying the number.
#[tokio::test]
async fn an_edit_of_its_tolerance_is_put_back() {
    let space = bed().await.space("edited").await;
    space.apply(&spec("LLMModel", "chat", promised())).await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    scaled.wait("several", PATIENCE, several).await;
    let before = scaled.autoscaler().await.unwrap().metadata.uid;
    for edit in [
        json!([{"op": "remove", "path": "/spec/behavior/scaleUp/tolerance"}, {"op": "remove", "path": "/spec/behavior/scaleDown/tolerance"}]),
        json!([{"op": "replace", "path": "/spec/behavior/scaleUp/tolerance", "value": "200m"}]),
    ] {
        let edit = edit.to_string();
        let (worked, said) = space
            .kubectl(&["patch", "hpa", "chat", "--type", "json", "-p", &edit])
            .await;
        assert!(worked, "{said}");
        let back = space
            .wait("as it was", "chat", |one: &HorizontalPodAutoscaler| {
                let behavior = one.spec.behavior.as_ref().unwrap();
                [&behavior.scale_up, &behavior.scale_down]
                    .into_iter()
                    .all(|rules| {
                        let tolerance = rules.as_ref().and_then(|rules| rules.tolerance.as_ref());
                        tolerance.is_some_and(|tolerance| tolerance.0 == "0")
                    })
            })
            .await;
        assert_eq!(back.metadata.uid, before, "it was never away");
    }
    let status = scaled.wait("several", PATIENCE, several).await;
    assert_eq!(status["scaling"]["transport"], "Metric", "{status}");
}

/// Engines that do not answer are not taken away, whatever they may do; it is told how many and why, and passes.
#[tokio::test]
async fn nobody_is_taken_away_blindly() {
    let bed = bed().await;
    let space = bed.space("blind").await;
    space.apply(&spec("LLMModel", "chat", promised())).await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    let desired = scaled.wait("several", PATIENCE, several).await["scaling"]["desiredReplicas"].clone();
    let lowest = lowest(&space, "chat");
    let (faults, target) = (
        bed.cluster.nodes().unwrap().faults(),
        Target::pods(&space.namespace, "chat"),
    );
    faults.hang(&target);
    let status = scaled.wait_decided("ScrapeFailed", PATIENCE).await;
    assert_eq!(status["scaling"]["desiredReplicas"], desired, "{status}");
    let active = condition(&status, "ScalingActive");
    assert_eq!(active["status"], "False", "{active}");
    assert!(
        active["message"]
            .as_str()
            .unwrap()
            .contains("could not be scraped"),
        "{active}"
    );
    faults.heal(&target);
    let status = scaled
        .wait("well again", PATIENCE * 2, |status| {
            several(status) && status["scaling"]["reason"] == "Enough"
        })
        .await;
    assert_eq!(status["scaling"]["desiredReplicas"], desired, "{status}");
    assert_eq!(i64::from(lowest.end().await), desired.as_i64().unwrap());
}
