//! What tests of an `NvidiaGpuLlm`'s life do to resources and Pods, and how they follow them.

use api::infra_example_com::v1::{NvidiaGpuLlm, NvidiaGpuLlmStatus, Phase};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    api::networking::v1::NetworkPolicy,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::{Cluster, ClusterBuilder, Faults, NodeSpec, Records, Target};

use crate::{
    common::{Bed, PATIENCE, Space, bed_with},
    seen::{condition, install, wait_phase, wait_status},
};

/// The cluster of this program: GPUs for all tests at once, and no node with as many as one resource may ask for.
pub async fn bed() -> &'static Bed {
    let nodes = || ["gpu-0", "gpu-1"].map(|name| NodeSpec::h100(name, 48));
    bed_with(|| nodes().into_iter().fold(Cluster::builder(), ClusterBuilder::node)).await
}

/// An install `demo` of the Pod `llm` that serves; `more`: lines of the spec, indented by two.
pub async fn served(space: &Space, more: &str) -> Pod {
    space.apply(&install("demo", "llm", more)).await;
    wait_phase(space, "demo", Phase::Ready).await;
    pod(space, "llm").await
}

/// Changes fields of the spec, as `kubectl patch --type merge` does.
pub async fn edit(space: &Space, name: &str, spec: Value) {
    try_edit(space, name, spec).await.unwrap();
}

/// As [`edit`], with what the API server says.
pub async fn try_edit(space: &Space, name: &str, spec: Value) -> kube::Result<NvidiaGpuLlm> {
    merge::<NvidiaGpuLlm>(space, name, json!({ "spec": spec })).await
}

/// Merges into an object.
pub async fn merge<K>(space: &Space, name: &str, patch: Value) -> kube::Result<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api = space.api::<K>();
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
}

/// A Pod that exists.
pub async fn pod(space: &Space, name: &str) -> Pod {
    space.api::<Pod>().get(name).await.unwrap()
}

/// The uid of an object.
pub fn uid<K: Resource>(object: &K) -> String {
    object.meta().uid.clone().unwrap()
}

/// Waits for a Pod of this name that is not `old`, and that is not going.
pub async fn successor(space: &Space, name: &str, old: &Pod) -> Pod {
    space
        .wait("another one", name, |pod: &Pod| {
            pod.uid() != old.uid() && pod.metadata.deletion_timestamp.is_none()
        })
        .await
}

/// The same Pod, which has never been replaced nor had its engine restarted.
pub async fn assert_untouched(space: &Space, before: &Pod) {
    let now = pod(space, &before.name_any()).await;
    assert_eq!(now.uid(), before.uid(), "it was replaced");
    assert_eq!(now.metadata.deletion_timestamp, None, "it is going");
    assert_eq!(
        (restarts(&now), now.spec),
        (restarts(before), before.spec.clone())
    );
}

/// Restarts of its containers.
pub fn restarts(pod: &Pod) -> i32 {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|status| status.restart_count).sum()
}

/// `Pending`, `Running`, `Succeeded`, `Failed`.
pub fn pod_phase(pod: &Pod) -> &str {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.unwrap_or_default()
}

/// Waits until the model serves and all prompts of the current generation are answered.
pub async fn all_answered(space: &Space, name: &str) -> NvidiaGpuLlmStatus {
    wait_status(space, name, "ready, all answered", |status| {
        let answered = condition(status, "PromptsAnswered");
        let answered = answered.is_some_and(|one| one.status == "True" && one.reason == "AllAnswered");
        status.phase == Some(Phase::Ready) && answered
    })
    .await
}

/// What engines in this namespace have been asked.
pub fn journal(bed: &Bed, space: &Space) -> Records {
    bed.cluster.nodes().unwrap().journal().of(&space.namespace)
}

/// Orders faults.
pub fn faults(bed: &'static Bed) -> &'static Faults {
    bed.cluster.nodes().unwrap().faults()
}

/// The Pods of a test whose names begin so.
pub fn target(space: &Space, prefix: &str) -> Target {
    Target::pods(&space.namespace, prefix)
}

/// Waits for an Event about `object`, and returns its note.
pub async fn told(space: &Space, object: &str, reason: &str) -> String {
    let events = space.wait_event(object, reason).await;
    events[0].message.clone().unwrap()
}

/// All that is in a namespace, beside Events and what Kubernetes puts into each, as `Kind name`.
pub async fn everything(space: &Space) -> Vec<String> {
    // First, so that what is seen after it was there no earlier.
    let mut all = names::<NvidiaGpuLlm>(space).await;
    all.extend(names::<Pod>(space).await);
    all.extend(names::<Service>(space).await);
    all.extend(names::<PersistentVolumeClaim>(space).await);
    all.extend(names::<ConfigMap>(space).await);
    all.extend(names::<Secret>(space).await);
    all.extend(names::<ServiceAccount>(space).await);
    all.extend(names::<NetworkPolicy>(space).await);
    all.retain(|name| !["ConfigMap kube-root-ca.crt", "ServiceAccount default"].contains(&name.as_str()));
    all.sort();
    all
}

async fn names<K>(space: &Space) -> Vec<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = space.api();
    let list = api.list(&ListParams::default()).await.unwrap();
    let names = list
        .items
        .iter()
        .map(|one| format!("{} {}", K::kind(&()), one.name_any()));
    names.collect()
}

/// Waits until exactly these objects are left, as `Kind name`, sorted.
pub async fn wait_left(space: &Space, wanted: &[&str]) {
    testkit::until(
        format!("{wanted:?} is left in {}", space.namespace),
        PATIENCE,
        async || {
            let all = everything(space).await;
            if all == wanted {
                Ok(())
            } else {
                Err(format!("{all:?}"))
            }
        },
    )
    .await
    .unwrap();
}

/// Reasons of the Events about an object.
pub async fn event_reasons(space: &Space, object: &str) -> Vec<String> {
    let events: std::collections::BTreeMap<String, Vec<Event>> = space.events(object).await;
    events.into_keys().collect()
}
