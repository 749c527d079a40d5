//! `Ready` follows the Pods within two seconds.

use std::time::{Duration, Instant};

use api::llm_example_com::v1alpha1::LLMDeployment;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;

use crate::{
    case::{Case, bed, faults, generic, with},
    common::condition,
};

/// What a person is promised.
const PROMISED: Duration = Duration::from_secs(2);
/// A machine that runs several clusters at once is no measure; the time itself is printed.
const SLACK: Duration = Duration::from_secs(6);

/// When the Pods, and when the status turned to `ready`, both seen by watches that run beside each other.
async fn turned(case: &Case<'_>, ready: bool) -> (Instant, Instant) {
    let pods = watch_until(
        case.space.api::<Pod>(),
        watcher::Config::default().labels(&format!("llm-operator.io/name={}", case.name)),
        |pod: &Pod| {
            pod.status
                .as_ref()
                .and_then(|status| status.conditions.as_ref())
                .into_iter()
                .flatten()
                .any(|condition| condition.type_ == "Ready" && (condition.status == "True") == ready)
        },
    );
    let status = watch_until(
        case.space.api::<LLMDeployment>(),
        watcher::Config::default().fields(&format!("metadata.name={}", case.name)),
        |object: &LLMDeployment| {
            let condition = object
                .status
                .as_ref()
                .and_then(|status| condition(status, "Ready"));
            condition.is_some_and(|condition| (condition.status == "True") == ready)
        },
    );
    let both = futures::future::join(pods, status);
    tokio::time::timeout(crate::common::PATIENCE, both).await.unwrap()
}

async fn watch_until<K>(api: Api<K>, config: watcher::Config, wanted: impl Fn(&K) -> bool) -> Instant
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let stream = watcher(api, config).applied_objects();
    pin_mut!(stream);
    while let Some(object) = stream.next().await {
        if let Ok(object) = object
            && wanted(&object)
        {
            return Instant::now();
        }
    }
    panic!("the watch ended");
}

/// Readiness lost and found again, a Pod deleted: the status follows, and back.
#[tokio::test]
async fn ready_tells_the_truth() {
    let bed = bed().await;
    let space = bed.space("truth").await;
    let probe =
        json!({"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1});
    let model = with(&generic(), json!({"probes": {"readiness": probe}}));
    let case = Case::deploy(&space, "honest", model, json!({})).await;
    case.healed().await;
    for round in 0..3 {
        for ready in [false, true] {
            if ready {
                faults(bed).heal(&case.target());
            } else {
                faults(bed).fail_readiness(&case.target());
            }
            let (pods, status) = turned(&case, ready).await;
            let lag = status.saturating_duration_since(pods);
            println!(
                "round {round}: status follows Pods to ready={ready} within {lag:?} (promised {PROMISED:?})"
            );
            assert!(
                lag < SLACK,
                "the status lags {lag:?} behind the Pods (ready={ready})"
            );
        }
    }
    // Its successor takes its time, or nobody would see that it is missing.
    faults(bed).stall_load(&case.target());
    let pod = case.pods().await.remove(0).name_any();
    space.delete::<Pod>(&pod).await;
    let status = space
        .wait_status("honest", "a replica is missing", |status| {
            condition(status, "Ready").is_some_and(|ready| ready.status == "False")
        })
        .await;
    assert_eq!(status.ready_replicas, Some(0));
    faults(bed).heal(&case.target());
    case.healed().await;
}
