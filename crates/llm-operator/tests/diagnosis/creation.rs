//! Pods that the API server does not let in.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{LimitRange, Namespace, ResourceQuota},
    node::v1::RuntimeClass,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    case::{Case, at_rest, bed, create, create_global, generic, with},
    common::Space,
};

fn of_size(cpu: &str, memory: &str) -> Value {
    with(&generic(), json!({"resources": {"cpu": cpu, "memory": memory}}))
}

async fn label(space: &Space, level: Value) {
    let patch = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    Api::<Namespace>::all(space.client.clone())
        .patch(&space.namespace, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// `RuntimeClass`, Pod Security, `LimitRange`: the Pod is never made, and the status says by whose rule.
#[tokio::test]
async fn pods_that_are_refused_at_creation() {
    let bed = bed().await;
    let (classless, strict, ranged) = (
        bed.space("classless").await,
        bed.space("strict").await,
        bed.space("ranged").await,
    );
    label(&strict, json!("restricted")).await;
    let range = json!({"spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}});
    create::<LimitRange>(&ranged, "small-only", range).await;

    let runtime = Case::deploy(
        &classless,
        "needs-class",
        generic(),
        json!({"runtimeClassName": "kata-late"}),
    )
    .await;
    let security = Case::deploy(&strict, "needs-root", generic(), json!({})).await;
    let limits = Case::deploy(&ranged, "needs-much", of_size("1", "4Gi"), json!({})).await;

    runtime
        .blocked(
            "RuntimeClassMissing",
            &[
                "0 of 1 replicas serve",
                "Pods cannot be created",
                "RuntimeClass \"kata-late\" not found",
                "Create the RuntimeClass, or do without",
            ],
        )
        .await;
    security
        .blocked(
            "PodSecurityViolation",
            &[
                "Pods cannot be created",
                "restricted",
                "runAsNonRoot",
                "Change the security context",
            ],
        )
        .await;
    limits
        .blocked(
            "LimitRangeViolation",
            &[
                "a LimitRange of the namespace says",
                "maximum memory usage per Container is 1Gi",
                "limit is 4Gi",
                "Set resources within that range",
            ],
        )
        .await;
    let all = [&runtime, &security, &limits];
    at_rest(&all, Duration::from_secs(4)).await;
    runtime.told_once("RuntimeClassMissing").await;
    security.told_once("PodSecurityViolation").await;
    limits.told_once("LimitRangeViolation").await;

    create_global::<RuntimeClass>(&classless, "kata-late", json!({"handler": "nvidia"})).await;
    label(&strict, Value::Null).await;
    ranged.delete::<LimitRange>("small-only").await;
    for case in all {
        case.healed().await;
    }
}

/// A quota with room for one of two replicas, and one that admits no Service.
#[tokio::test]
async fn quotas() {
    let bed = bed().await;
    let (full, closed) = (bed.space("full").await, bed.space("closed").await);
    create::<ResourceQuota>(&full, "compute", json!({"spec": {"hard": {"requests.cpu": "3"}}})).await;
    create::<ResourceQuota>(&closed, "objects", json!({"spec": {"hard": {"services": "0"}}})).await;
    for (space, quota) in [(&full, "compute"), (&closed, "objects")] {
        space
            .wait("its use is counted", quota, |quota: &ResourceQuota| {
                quota.status.as_ref().is_some_and(|status| status.hard.is_some())
            })
            .await;
    }

    let pods = Case::deploy(&full, "two-wanted", of_size("2", "1Gi"), json!({"replicas": 2})).await;
    let service = Case::deploy(&closed, "no-service", generic(), json!({})).await;
    pods.told(
        "QuotaExceeded",
        api::shared::State::Blocked,
        &[
            "1 of 2 replicas serve",
            "exceeded quota: compute",
            "requested: requests.cpu=2",
            "used: requests.cpu=2",
            "limited: requests.cpu=3",
            "have the quota raised",
        ],
    )
    .await;
    service
        .blocked(
            "QuotaExceeded",
            &[
                "0 of 1 replicas serve",
                "no-service",
                "exceeded quota: objects",
                "services=0",
            ],
        )
        .await;
    at_rest(&[&pods, &service], Duration::from_secs(4)).await;
    pods.told_once("QuotaExceeded").await;
    service.told_once("QuotaExceeded").await;

    for (space, quota, hard) in [
        (&full, "compute", json!({"requests.cpu": "4"})),
        (&closed, "objects", json!({"services": "1"})),
    ] {
        let patch = Patch::Merge(json!({"spec": {"hard": hard}}));
        space
            .api::<ResourceQuota>()
            .patch(quota, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    pods.healed().await;
    service.healed().await;
}
