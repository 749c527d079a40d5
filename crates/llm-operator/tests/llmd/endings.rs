//! It goes, whatever is the matter.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    bed::{Bed, DOCUMENT, condition, message},
    faults::{hangs, in_sync, none_left, nothing_left, operator, plain, take_away},
};

/// Deleted, and gone in time, with its namespace.
async fn deleted(bed: &Bed, within: Duration) {
    let start = Instant::now();
    let (gone, said) = bed
        .try_kubectl(&["delete", "llmd", "default-llm-d", "--timeout=90s"])
        .await;
    assert!(gone, "{said}\n{}", bed.log());
    assert!(start.elapsed() < within, "{:?}\n{}", start.elapsed(), bed.log());
    nothing_left(bed).await;
    let (gone, said) = bed
        .try_kubectl(&["wait", "--for=delete", "namespace/llm-d", "--timeout=60s"])
        .await;
    assert!(gone, "{said}");
}

/// While Helm hangs before or after an installation, with ten minutes to go; with the chart gone from its source; with a chart that takes
/// its time.
#[tokio::test]
async fn it_goes_while_helm_hangs_and_without_its_chart() {
    let mut bed = Bed::with(&[]).await;
    for hook in ["pre-install", "post-install"] {
        bed.apply(&plain(&bed, &json!({"faults": {"hang": hook}}), &json!({})))
            .await;
        hangs(&bed, "install", hook).await;
        deleted(&bed, Duration::from_secs(40)).await;
        none_left(operator(&bed)).await;
    }
    bed.apply(&plain(&bed, &json!({}), &json!({}))).await;
    in_sync(&bed, "hello").await;
    take_away(&bed, "plain-1.0.0.tgz");
    bed.start("second").await;
    bed.wait("the chart is missed", |llmd| {
        condition(llmd, "ProvisioningSucceeded").1 == "ChartUnavailable"
    })
    .await;
    deleted(&bed, Duration::from_secs(40)).await;
}

/// The kinds of a route and of a gateway are gone before, which is told: Helm refuses, and it goes nevertheless, with all the rest.
#[tokio::test]
async fn it_goes_when_kinds_went_before() {
    let bed = Bed::new().await;
    bed.apply(DOCUMENT).await;
    bed.ready().await;
    bed.kubectl(&[
        "delete",
        "crd",
        "httproutes.gateway.networking.k8s.io",
        "gateways.gateway.networking.k8s.io",
        "--timeout=30s",
    ])
    .await;
    bed.wait("it is told", |llmd| {
        let missing = message(llmd, "DependenciesAvailable");
        condition(llmd, "DependenciesAvailable").1 == "KindsMissing"
            && missing.contains("Gateway")
            && missing.contains("HTTPRoute")
    })
    .await;
    deleted(&bed, Duration::from_mins(1)).await;
    let pools = bed
        .kubectl(&[
            "get",
            "inferencepools.inference.networking.k8s.io",
            "-A",
            "-o",
            "name",
        ])
        .await;
    assert_eq!(pools, "");
}
