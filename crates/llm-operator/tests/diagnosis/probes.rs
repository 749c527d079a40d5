//! Containers that run and do not pass their probes.

use std::time::Duration;

use api::shared::State;
use serde_json::{Value, json};

use crate::case::{Case, at_rest, bed, faults, generic, with};

fn probed(probes: Value) -> Value {
    with(&generic(), json!({"probes": probes}))
}

fn every_second(question: Value, failures: u32) -> Value {
    let times = json!({"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": failures});
    with(&question, times)
}

fn http(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": 8080}})
}

fn tcp(port: u16) -> Value {
    json!({"tcpSocket": {"port": port}})
}

/// Readiness that turns false, a wrong port, a wrong path, and a liveness probe that kills.
#[tokio::test]
async fn failing_probes() {
    let bed = bed().await;
    let space = bed.space("probes").await;
    let readiness = Case::deploy(
        &space,
        "moody",
        probed(json!({"readiness": every_second(http("/health"), 2)})),
        json!({}),
    )
    .await;
    let port = Case::deploy(
        &space,
        "wrong-port",
        probed(json!({"readiness": every_second(tcp(9999), 2)})),
        json!({}),
    )
    .await;
    let path = Case::deploy(
        &space,
        "wrong-path",
        probed(json!({"startup": every_second(http("/nowhere"), 60)})),
        json!({}),
    )
    .await;
    let liveness = Case::deploy(
        &space,
        "shot-down",
        probed(json!({"liveness": every_second(http("/nowhere"), 2)})),
        json!({"terminationGracePeriodSeconds": 1}),
    )
    .await;

    let check = "Check the probe's port and path against what the engine serves";
    port.blocked(
        "ProbeFailing",
        &[
            "Container engine of Pod wrong-port-",
            "readiness probe",
            "9999",
            "connection refused",
            check,
        ],
    )
    .await;
    path.blocked(
        "ProbeFailing",
        &[
            "Container engine of Pod wrong-path-",
            "startup probe",
            "/nowhere",
            "HTTP status 404",
            check,
        ],
    )
    .await;
    liveness
        .blocked(
            "ProbeFailing",
            &[
                "Container engine of Pod shot-down-",
                "was killed because its liveness probe",
                "/nowhere",
                "HTTP status 404",
                "Correct the probe",
            ],
        )
        .await;
    readiness.healed().await;
    faults(bed).fail_readiness(&readiness.target());
    readiness
        .blocked(
            "ProbeFailing",
            &[
                "Container engine of Pod moody-",
                "readiness probe",
                "/health",
                check,
            ],
        )
        .await;
    at_rest(&[&readiness, &port, &path], Duration::from_secs(5)).await;
    port.told_once("ProbeFailing").await;
    path.told_once("ProbeFailing").await;
    readiness.told_once("ProbeFailing").await;
    faults(bed).heal(&readiness.target());
    readiness.healed().await;
}

/// A model that loads is not in trouble until its budget is over; then it is, with the field to change.
#[tokio::test]
async fn slow_loads() {
    let bed = bed().await;
    let space = bed.space("slow").await;
    let case = Case {
        space: &space,
        name: "sleepy",
    };
    faults(bed).stall_load(&case.target());
    Case::deploy(
        &space,
        "sleepy",
        probed(json!({"startup": every_second(tcp(8080), 8)})),
        json!({"terminationGracePeriodSeconds": 1}),
    )
    .await;
    case.told(
        "LoadingModel",
        State::Loading,
        &[
            "Pod sleepy-",
            "loads its model",
            "8080",
            "has not passed yet, within its budget of 8 s",
        ],
    )
    .await;
    at_rest(&[&case], Duration::from_secs(2)).await;
    let events = case.events("LoadingModel").await;
    assert!(events.is_empty(), "loading is no reason for an Event");
    case.blocked(
        "LoadTimeout",
        &[
            "Container engine of Pod sleepy-",
            "was killed because its startup probe",
            "did not pass within 8 s",
            "connection refused",
            "Raise the startup probe's budget",
        ],
    )
    .await;
    case.told_once("LoadTimeout").await;
    faults(bed).heal(&case.target());
    case.healed().await;
}
