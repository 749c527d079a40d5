//! Operators that die, and API servers that are away.

use std::time::Duration;

use testkit::plane::audit::Filter;

use crate::{
    common::PATIENCE,
    load::{Clients, Load},
    look::{condition, lowest, spec},
    place::{Place, several},
};

/// Some periods of Kubernetes' autoscaler, which here is a second.
const AWHILE: Duration = Duration::from_secs(10);
/// Two decisions and more.
const DECISIONS: Duration = Duration::from_secs(40);

/// Killed in the middle of load and started again, it keeps the number, until it knows better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_keeps_the_number_under_load() {
    let place = Place::new().await;
    let mut operator = place.operator("killed", &["--leader-elect", "false"]).await;
    let more = serde_json::json!({"modelName": "qwen2.5-14b", "gpuType": "L4", "replicas": 1, "serving": {"gpus": 2, "contextLength": 8192},
        "scaling": {"timePerOutputToken": "200ms", "maxReplicas": 4}});
    place.space.apply(&spec("LLMModel", "chat", more)).await;
    let scaled = place.scaled("chat");
    let status = scaled
        .wait("ready", PATIENCE, |status| status["state"] == "Ready")
        .await;
    let selector = status["selector"].as_str().unwrap();
    let clients = Clients {
        port: 8000,
        model: "qwen2.5-14b".to_owned(),
        rate: 8.0,
        prompt: 300,
        answer: 60,
    };
    let load = Load::start(&place.space, selector, &clients);
    let status = scaled.wait("several", PATIENCE, several).await;
    let desired = status["scaling"]["desiredReplicas"].as_i64().unwrap();

    let lowest = lowest(&place.space, "chat");
    operator.process.kill9();
    tokio::time::sleep(AWHILE).await;
    let operator = place.operator("again", &["--leader-elect", "false"]).await;
    tokio::time::sleep(DECISIONS).await;
    let status = scaled.status().await;
    assert!(
        i64::from(lowest.end().await) >= desired.min(3),
        "it dipped from {desired}: {status}"
    );
    assert_eq!(condition(&status, "ScalingActive")["status"], "True", "{status}");
    let answers = load.end().await;
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.failed.as_ref())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    drop(operator);
}

/// Killed at rest and started again, it writes nothing about what scales.
#[tokio::test]
async fn a_new_operator_finds_everything_as_it_should_be() {
    let place = Place::new().await;
    let mut operator = place.operator("old", &["--leader-elect", "false"]).await;
    place.promised("chat").await;
    let scaled = place.scaled("chat");
    let before = scaled.wait("several", PATIENCE, several).await;
    // Inputs are told a minute late.
    tokio::time::sleep(DECISIONS * 2).await;
    operator.process.kill9();
    let log = place.cluster.audit_log();
    let mark = log.mark();
    let operator = place.operator("new", &["--leader-elect", "false"]).await;
    tokio::time::sleep(DECISIONS).await;
    let writes = log.requests_since(&mark, &Filter::user("llm-operator")).unwrap();
    let about: Vec<_> = writes
        .iter()
        .filter(|one| one.is_write() && one.namespace == place.space.namespace)
        .collect();
    assert!(about.is_empty(), "{about:#?}");
    let after = scaled.status().await;
    assert_eq!(
        after["scaling"]["desiredReplicas"],
        before["scaling"]["desiredReplicas"]
    );
    drop(operator);
}

/// The replica that waits serves the number too: when the leader dies, autoscalers go on to see it.
#[tokio::test]
async fn the_next_leader_serves_the_number() {
    let place = Place::new().await;
    let short = [
        "--lease-duration",
        "4s",
        "--lease-renew-deadline",
        "2500ms",
        "--lease-retry-period",
        "500ms",
    ];
    let mut leader = place.operator("leader", &short).await;
    let standby = place.operator("standby", &short).await;
    place.promised("chat").await;
    let scaled = place.scaled("chat");
    let status = scaled.wait("several", PATIENCE, several).await;
    let desired = status["scaling"]["desiredReplicas"].as_i64().unwrap().to_string();
    let is = async || {
        place
            .served("chat")
            .await
            .and_then(|served| if served == desired { Ok(()) } else { Err(served) })
    };
    testkit::until("the number is served", PATIENCE, is)
        .await
        .unwrap();
    let lowest = lowest(&place.space, "chat");
    leader.process.kill9();
    tokio::time::sleep(AWHILE).await;
    testkit::until("the number is served again", PATIENCE, is)
        .await
        .unwrap();
    assert_eq!(lowest.end().await.to_string(), desired, "it dipped");
    drop(standby);
}

/// Cut off from the API server, it loses no number and goes on after it.
#[tokio::test]
async fn an_api_server_that_is_away_changes_nothing() {
    let place = Place::new().await;
    let operator = place.operator("cut", &["--leader-elect", "false"]).await;
    place.promised("chat").await;
    let scaled = place.scaled("chat");
    let before = scaled.wait("several", PATIENCE, several).await["scaling"]["desiredReplicas"].clone();
    let lowest = lowest(&place.space, "chat");
    place.proxy.set_unreachable(true);
    place.proxy.cut_watches();
    tokio::time::sleep(AWHILE * 2).await;
    place.proxy.set_unreachable(false);
    tokio::time::sleep(AWHILE).await;
    place.cluster.stop_apiserver();
    tokio::time::sleep(AWHILE).await;
    place.cluster.start_apiserver().await.unwrap();
    let number = before.as_i64().unwrap().to_string();
    let served = async || {
        place
            .served("chat")
            .await
            .and_then(|served| if served == number { Ok(()) } else { Err(served) })
    };
    testkit::until("served again", PATIENCE, served).await.unwrap();
    let status = scaled.wait("as before", PATIENCE, several).await;
    assert_eq!(status["scaling"]["desiredReplicas"], before, "{status}");
    assert_eq!(
        i64::from(lowest.end().await),
        before.as_i64().unwrap(),
        "it dipped"
    );
    drop(operator);
}
