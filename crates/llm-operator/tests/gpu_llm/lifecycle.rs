//! From creation to rest: what is stored in which order, and that rest is rest.

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
        networking::v1::NetworkPolicy,
    },
};
use kube::{
    Resource, ResourceExt,
    api::{WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    common::{PATIENCE, Space, stand::Stand},
    scene::{all_answered, bed, edit, merge, pod, served, target, uid},
    seen::{condition, install, wait_phase, wait_status},
};

/// All changes of a kind in the namespace from its beginning.
async fn changes<K>(space: &Space) -> BoxStream<'static, kube::Result<WatchEvent<K>>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    let api = space.api::<K>();
    let now = api.list(&kube::api::ListParams::default()).await.unwrap();
    let version = now.metadata.resource_version.unwrap();
    api.watch(&WatchParams::default().timeout(290), &version)
        .await
        .unwrap()
        .boxed()
}

/// Resource versions count all writes to one etcd.
fn version<K: Resource>(object: &K) -> u64 {
    object
        .meta()
        .resource_version
        .as_deref()
        .unwrap()
        .parse()
        .unwrap()
}

/// When the first object of the kind, that Kubernetes does not put into each namespace, came into being.
async fn first<K>(mut changes: BoxStream<'static, kube::Result<WatchEvent<K>>>) -> (String, u64)
where
    K: Resource<DynamicType = ()>,
{
    let looking = async {
        while let Some(change) = changes.try_next().await.unwrap() {
            if let WatchEvent::Added(object) = change {
                return (
                    format!("{} {}", K::kind(&()), object.name_any()),
                    version(&object),
                );
            }
        }
        panic!("the watch of {} has ended", K::kind(&()))
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

/// The resource says `InProgress` and has its finalizer before anything is made for it, goes from there to `Ready` without
/// another word between, and keeps that word.
/// Promises: S0-20, S0-21, S0-25, S0-26, S0-27, S0-28, S0-35
#[tokio::test]
async fn in_progress_first_then_the_objects_then_ready() {
    let space = bed().await.space("order").await;
    let mut resources = changes::<NvidiaGpuLlm>(&space).await;
    let children = (
        changes::<Pod>(&space).await,
        changes::<Service>(&space).await,
        changes::<PersistentVolumeClaim>(&space).await,
        changes::<NetworkPolicy>(&space).await,
        changes::<ConfigMap>(&space).await,
    );
    let more = "  serviceEnabled: true\n  persistentStorage: true\n  prompts: [one]";
    space.apply(&install("demo", "llm", more)).await;
    all_answered(&space, "demo").await;

    let mut seen: Vec<NvidiaGpuLlm> = Vec::new();
    while let Some(change) = resources.try_next().await.unwrap() {
        let (WatchEvent::Added(resource) | WatchEvent::Modified(resource)) = change else {
            panic!("{change:?}")
        };
        let answered = |status| condition(status, "PromptsAnswered").is_some_and(|one| one.status == "True");
        let last = resource.status.as_ref().is_some_and(answered);
        seen.push(resource);
        if last {
            break;
        }
    }
    assert!(seen[0].status.is_none() && seen[0].finalizers().is_empty());
    let begun = seen.iter().find(|one| one.status.is_some()).unwrap();
    let status = begun.status.as_ref().unwrap();
    assert_eq!(
        (status.phase, status.reason.as_deref(), status.started_generation),
        (Some(Phase::InProgress), Some("Begun"), Some(1)),
        "the first word"
    );
    let held = seen.iter().find(|one| !one.finalizers().is_empty()).unwrap();
    assert_eq!(held.finalizers(), ["infra.example.com/gpu-llm"]);
    let prepared = version(begun).max(version(held));
    for (name, made) in [
        first(children.0).await,
        first(children.1).await,
        first(children.2).await,
        first(children.3).await,
        first(children.4).await,
    ] {
        assert!(made > prepared, "{name} was made at {made}, before {prepared}");
    }

    let mut phases: Vec<Phase> = seen.iter().filter_map(|one| one.status.as_ref()?.phase).collect();
    phases.dedup();
    // The claim gets its volume when the Pod is scheduled: a short wait for it may be told.
    phases.retain(|phase| *phase != Phase::Pending);
    phases.dedup();
    let told: Vec<_> = seen
        .iter()
        .filter_map(|one| one.status.as_ref()?.message.as_deref())
        .collect();
    assert_eq!(phases, [Phase::InProgress, Phase::Ready], "{told:#?}");
    for one in seen.iter().filter_map(|one| one.status.as_ref()) {
        let message = one.message.as_deref().unwrap_or_default();
        assert!(
            message.len() > 10 && message.ends_with('.'),
            "for people: {message:?}"
        );
    }
}

/// What is ready, finished, failed or not accepted is left alone: by a new operator, and by changes that are none of the spec.
/// Nothing is written, nothing is sent again.
/// Promises: S0-33
#[tokio::test]
async fn what_is_settled_is_not_done_again() {
    let mut stand = Stand::new("settled").await;
    let space = &stand.space;
    served(space, "  prompts: [one]").await;
    all_answered(space, "demo").await;
    space
        .apply(&install("once", "once", "  keepAlive: false\n  prompts: [two]"))
        .await;
    let once = wait_phase(space, "once", Phase::Ready).await;
    assert_eq!(once.reason.as_deref(), Some("Finished"));
    space
        .apply(&install(
            "wrong",
            "wrong",
            "  nodeSelector: {disk: \"no such value!\"}\n  prompts: [three]",
        ))
        .await;
    wait_phase(space, "wrong", Phase::Failed).await;
    let broken = target(space, "broken").container("ollama");
    let cluster = crate::common::stand::cluster().await;
    let nodes = cluster.nodes().unwrap();
    nodes.faults().crash_at_start(&broken, 3, "boom");
    space
        .apply(&install(
            "broken",
            "broken",
            "  keepAlive: false\n  prompts: [four]",
        ))
        .await;
    wait_phase(space, "broken", Phase::Failed).await;
    let names = ["demo", "once", "wrong", "broken"];

    let mut before = Vec::new();
    for name in names {
        let resource = space.api::<NvidiaGpuLlm>().get(name).await.unwrap();
        before.push((resource.status.clone(), version(&resource)));
    }
    let pods = [
        pod(space, "llm").await,
        pod(space, "once").await,
        pod(space, "broken").await,
    ];
    let writes = stand.writes();
    stand.operator.process.kill9();
    stand.restart().await;
    let space = &stand.space;
    // A resource made now is served last: by then the new operator has looked at all of them.
    space.apply(&install("later", "later", "")).await;
    wait_phase(space, "later", Phase::Ready).await;
    for (name, (status, version_before)) in names.iter().zip(&before) {
        let resource = space.api::<NvidiaGpuLlm>().get(name).await.unwrap();
        assert_eq!(&resource.status, status, "{name}");
        assert_eq!(version(&resource), *version_before, "{name} was written to");
    }
    assert!(stand.writes() > writes, "for the later one");

    // Labels and annotations are no part of the spec.
    for name in names {
        let patch = json!({"metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}}});
        merge::<NvidiaGpuLlm>(space, name, patch).await.unwrap();
    }
    space.apply(&install("last", "last", "")).await;
    wait_phase(space, "last", Phase::Ready).await;
    for (name, (status, _)) in names.iter().zip(&before) {
        let resource = space.api::<NvidiaGpuLlm>().get(name).await.unwrap();
        assert_eq!(&resource.status, status, "{name}");
    }
    for old in &pods {
        assert_eq!(uid(&pod(space, &old.name_any()).await), uid(old));
    }
    let journal = nodes.journal().of(&space.namespace);
    assert_eq!(journal.prompts(), ["one", "two"]);
    nodes.faults().heal(&broken);
}

/// A change of the spec begins with `InProgress` again, and the generation that the status speaks of follows.
/// Promises: S0-26, S0-28, S0-35
#[tokio::test]
async fn each_generation_begins_with_in_progress() {
    let space = bed().await.space("again").await;
    served(&space, "").await;
    let mut resources = changes::<NvidiaGpuLlm>(&space).await;
    edit(&space, "demo", json!({"servicePort": 9000})).await;
    let status = wait_status(&space, "demo", "generation 2", |status| {
        status.phase == Some(Phase::Ready) && status.observed_generation == Some(2)
    })
    .await;
    assert_eq!(status.started_generation, Some(2));
    let mut told = Vec::new();
    while let Some(change) = resources.try_next().await.unwrap() {
        let WatchEvent::Modified(resource) = change else {
            panic!("{change:?}")
        };
        let status = resource.status.unwrap();
        told.push((status.started_generation, status.phase));
        if status.observed_generation == Some(2) {
            break;
        }
    }
    told.dedup();
    assert_eq!(
        told,
        [
            (Some(1), Some(Phase::Ready)),
            (Some(2), Some(Phase::InProgress)),
            (Some(2), Some(Phase::Ready))
        ]
    );
}

/// A Pod that waits for GPUs says so in `Pending`, has none assigned, and serves when there are some.
/// Promises: S0-20, S0-24, S0-36
#[tokio::test]
async fn without_free_gpus_it_is_pending() {
    let space = bed().await.space("gpus").await;
    space.apply(&install("demo", "llm", "  gpuCount: 64")).await;
    let status = wait_phase(&space, "demo", Phase::Pending).await;
    assert_eq!((status.gpu_assigned, status.model_loaded), (Some(false), None));
    let message = status.message.unwrap();
    assert!(
        message.contains("64") && message.contains("nvidia.com/gpu"),
        "{message}"
    );
    edit(&space, "demo", json!({"gpuCount": 1})).await;
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.gpu_assigned, Some(true));
}
