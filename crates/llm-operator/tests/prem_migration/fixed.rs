//! Manifests of which prem-operator made something else than they say: what the take-over changes, and nothing else. Each
//! of them stands in `docs/adr`, under "where a fix restarts Pods".

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{ResourceExt, api::ListParams};

use crate::{
    New, cluster,
    common::Space,
    old::migrate_from,
    seen::{differences, is_managed, settled, template, wait_word},
};

/// Name, and where the template differs from prem-operator's.
const FIXES: [(&str, &[&str]); 10] = [
    ("vllm-template", &["/spec/imagePullSecrets"]),
    ("mii-env", &["/spec/containers/0/env"]),
    ("triton-env", &["/spec/containers/0/env"]),
    ("triton-archive", &["/spec/initContainers/0/args/0"]),
    (
        "inline-file",
        &[
            "/spec/volumes/2/projected/sources/0/configMap/items/0/key",
            "/spec/volumes/2/projected/sources/0/configMap/name",
        ],
    ),
    ("env-twice", &["/spec/containers/0/env"]),
    ("own-models-path", &["/spec/containers/0/env"]),
    (
        "gpu-limit",
        &[
            "/spec/containers/0/resources/limits/nvidia.com/gpu",
            "/spec/containers/0/resources/requests/nvidia.com/gpu",
        ],
    ),
    (
        "probe-grace",
        &["/spec/containers/0/livenessProbe/terminationGracePeriodSeconds"],
    ),
    ("port-twice", &["/spec/containers/0/ports"]),
];

/// Promises: S4-31
#[tokio::test]
async fn only_the_fix_changes() {
    let space = Space::of(cluster().await, "fixed").await;
    migrate_from(&space, "fixed.yaml").await;
    let find = async |(name, _): (&str, _)| {
        let found: Deployment = space.api().get(name).await.unwrap();
        template(&found)
    };
    let before = join_all(FIXES.map(find)).await;
    let _new = New::start("fixed", &[&space.namespace]).await;
    for ((name, paths), before) in FIXES.iter().zip(&before) {
        let now = space
            .wait("is managed", name, |one: &Deployment| is_managed(one))
            .await;
        assert_eq!(differences(before, &template(&now)), *paths, "{name}");
    }
}

/// Templates with many fields go on as they are.
#[tokio::test]
async fn what_needs_no_fix_is_kept() {
    let space = Space::of(cluster().await, "kept").await;
    migrate_from(&space, "kept.yaml").await;
    let before = space
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(before.items.len(), 6);
    let _new = New::start("kept", &[&space.namespace]).await;
    let mut all = Vec::new();
    for before in before.items {
        let name = before.name_any();
        let now = space
            .wait("is managed", &name, |one: &Deployment| is_managed(one))
            .await;
        let paths = differences(&template(&before), &template(&now));
        all.extend(paths.iter().map(|path| format!("{name} {path}")));
    }
    assert_eq!(all, Vec::<String>::new());
}

/// An archive that prem-operator's script never unpacked (1.7-7): the Pod that could not start is replaced by one that
/// serves.
/// Promises: S4-31
#[tokio::test]
async fn an_archive_that_never_unpacked_is_served() {
    let space = Space::of(cluster().await, "archive").await;
    migrate_from(&space, "triton.yaml").await;
    let failing = space
        .wait("fails", "classifiers", |one: &Deployment| {
            one.status
                .as_ref()
                .is_some_and(|status| status.unavailable_replicas == Some(1))
        })
        .await;
    let _new = New::start("archive", &[&space.namespace]).await;
    wait_word(&space, "classifiers", "Ready").await;
    let now = space
        .wait("is replaced", "classifiers", |one: &Deployment| settled(one))
        .await;
    let paths = ["/spec/initContainers/0/args/0"];
    assert_eq!(differences(&template(&failing), &template(&now)), paths);
}
