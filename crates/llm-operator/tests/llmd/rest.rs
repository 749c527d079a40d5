//! Nothing changes.

use api::opendatahub_io::components::v1alpha1::Llmd;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use testkit::{plane::audit::Filter, until};

use crate::{
    bed::{Bed, DOCUMENT, PATIENCE},
    common::scrape::scrape,
};

async fn reconciles(bed: &Bed) -> f64 {
    let page = scrape(bed.operator.as_ref().unwrap()).await;
    page.sum(
        "llm_operator_reconcile_duration_seconds_count",
        &[("kind", "Llmd")],
    )
}

async fn records(bed: &Bed) -> String {
    let columns = "-o=jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}";
    bed.kubectl(&["get", "secrets", "-n", "llm-d", columns]).await
}

/// A hundred reconciles and three restarts of three charts that are as they should be: no revision, no write, no word of the status.
/// Promises: S1-30
#[tokio::test]
async fn a_hundred_reconciles_write_nothing() {
    let mut bed = Bed::new().await;
    bed.apply(DOCUMENT).await;
    bed.ready().await;
    let log = bed.cluster.audit_log();
    let start = bed.quiet().await;
    let before = records(&bed).await;
    let status = bed.ready().await.status;
    let done = reconciles(&bed).await;
    let llmds: Api<Llmd> = bed.llmds();
    for number in 1..=100 {
        let note: Value = json!({"metadata": {"annotations": {"example.com/note": number.to_string()}}});
        let params = PatchParams::default();
        llmds
            .patch("default-llm-d", &params, &Patch::Merge(note))
            .await
            .unwrap();
        until("it to be looked at", PATIENCE, async || {
            (reconciles(&bed).await >= done + f64::from(number)).then_some(())
        })
        .await
        .unwrap();
    }
    let requests = log
        .requests_since(&start, &Filter::user("llm-system:llm-operator"))
        .unwrap();
    // Whether kinds that are missing have come is asked for from time to time, also of optional definitions; watches are renewed.
    let missing = "/apis/networking.istio.io/v1beta1";
    let optional = [
        "/apis/nvidia.com/v1",
        "/apis/datasciencecluster.opendatahub.io/v2",
    ];
    let others = requests.iter().filter(|request| {
        let uri = request.uri.as_str();
        request.verb != "watch" && uri != missing && !optional.contains(&uri)
    });
    let others: Vec<_> = others.collect();
    assert!(others.is_empty(), "{others:#?}");
    let looks = requests.iter().filter(|request| request.uri == missing).count();
    assert!(looks < 20, "{looks} times for 100 reconciles");

    for name in ["second", "third", "fourth"] {
        bed.start(name).await;
        until("it to be looked at", PATIENCE, async || {
            (reconciles(&bed).await >= 2.0).then_some(())
        })
        .await
        .unwrap();
        // Fetching and rendering takes its time after a start.
        until("the charts to be compared", PATIENCE, async || {
            let log = bed.operator.as_ref().unwrap().process.log();
            let quiet = crate::faults::processes(crate::faults::operator(&bed)).is_empty();
            (log.contains("fetching and rendering") && quiet).then_some(())
        })
        .await
        .unwrap();
        let note: Value = json!({"metadata": {"annotations": {"example.com/note": name}}});
        let params = PatchParams::default();
        let seen = reconciles(&bed).await;
        llmds
            .patch("default-llm-d", &params, &Patch::Merge(note))
            .await
            .unwrap();
        until("it to be looked at", PATIENCE, async || {
            (reconciles(&bed).await > seen).then_some(())
        })
        .await
        .unwrap();
    }
    let requests = log
        .requests_since(&start, &Filter::user("llm-system:llm-operator"))
        .unwrap();
    let writes: Vec<_> = requests
        .iter()
        .filter(|request| {
            request.is_write() && !request.uri.contains("dryRun=All") && !request.resource.contains("reviews")
        })
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(records(&bed).await, before, "no revision is made or touched");
    assert_eq!(bed.ready().await.status, status, "the status is untouched");
}
