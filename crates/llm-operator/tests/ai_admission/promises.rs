//! Times, shares and throughputs as people write them.

use serde_json::{Value, json};

use crate::{
    common::desk::wrong,
    desk::{all_accepted, all_refused},
};

/// Times have a unit and are above zero.
/// Promises: S3-9
#[tokio::test]
async fn times() {
    for (kind, block, fields) in [
        ("LLMModel", "scaling", ["timeToFirstToken", "timePerOutputToken"]),
        ("ModelDeployment", "sla", ["timeToFirstToken", "maxLatency"]),
    ] {
        let row = |field: &str, value: Value| json!({ block: { field: value } });
        for field in fields {
            let path: &'static str = Box::leak(format!("spec.{block}.{field}").into_boxed_str());
            let texts = [
                "100",
                "ms",
                "0ms",
                "0.0s",
                "-5ms",
                "1h",
                "5 ms",
                "1e3ms",
                ".5s",
                "5.s",
                "100MS",
                "",
                "one second",
                "99999999999999999ms",
            ];
            let mut table: Vec<_> = texts
                .into_iter()
                .map(|text| {
                    wrong(
                        row(field, json!(text)),
                        path,
                        if text.len() > 16 {
                            ""
                        } else {
                            "must be a time above zero"
                        },
                    )
                })
                .collect();
            table.push(wrong(row(field, json!(100)), path, "must be of type string"));
            all_refused(kind, table).await;
            let good = ["100ms", "1s", "1.5s", "0.5ms", "2m", "0100ms", "999999999999ms"];
            let table = good
                .into_iter()
                .map(|text| (text, row(field, json!(text))))
                .collect();
            all_accepted(kind, table).await;
        }
    }
}

#[tokio::test]
async fn shares_and_throughputs() {
    let sla = |more: Value| json!({"sla": crate::common::desk::with(json!({"maxLatency": "1s"}), &more)});
    let path = "spec.sla.attainment";
    let bad = ["99", "100%", "49%", "0.99", "99.9999%", "%", "-99%", "99 %"];
    let mut table: Vec<_> = bad
        .into_iter()
        .map(|text| wrong(sla(json!({"attainment": text})), path, "share of requests"))
        .collect();
    table.push(wrong(
        sla(json!({"attainment": 99})),
        path,
        "must be of type string",
    ));
    table.push(wrong(
        sla(json!({"minThroughput": 0})),
        "spec.sla.minThroughput",
        "greater than or equal to 1",
    ));
    table.push(wrong(
        sla(json!({"minThroughput": "50"})),
        "spec.sla.minThroughput",
        "must be of type integer",
    ));
    table.push(wrong(
        sla(json!({"max_latency_ms": 5})),
        "spec.sla.max_latency_ms",
        "unknown field",
    ));
    all_refused("ModelDeployment", table).await;
    let good = ["50%", "99%", "99.9%", "99.999%"];
    let table = good
        .into_iter()
        .map(|text| (text, sla(json!({"attainment": text}))))
        .collect();
    all_accepted("ModelDeployment", table).await;
}
