//! A definition that belongs to somebody else is left alone; a cache of one namespace sees no other.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::ConfigMap, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::CustomResourceExt,
};
use reconcile::{
    CacheSpec, Namespaces, ObjectKey, RawObject, WatchCache, Watches, WorkQueue, cache::WatchState,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::until;

use crate::bed::{Bed, LIMIT, bed, namespace};

/// As we know it.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "optional.example.com", version = "v1", kind = "Graph", namespaced)]
#[serde(rename_all = "camelCase")]
struct GraphSpec {
    model: GraphModel,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GraphModel {
    placement: Option<i32>,
}

/// What makes it ours.
const REQUIRED: &[&str] = &["spec.model.placement"];

/// The same names, as somebody else defines them: `spec` has another shape.
fn foreign() -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(Graph::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = json!({
        "type": "object", "properties": {"services": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
    });
    serde_json::from_value(crd).unwrap()
}

async fn install(bed: &Bed, crd: &CustomResourceDefinition) {
    let crds: Api<CustomResourceDefinition> = Api::all(bed.admin.clone());
    crds.patch(
        Graph::crd_name(),
        &PatchParams::apply("somebody").force(),
        &Patch::Apply(crd),
    )
    .await
    .unwrap();
}

async fn make(bed: &Bed, name: &str, spec: Value) {
    let object: kube::core::DynamicObject = serde_json::from_value(json!({
        "apiVersion": "optional.example.com/v1", "kind": "Graph",
        "metadata": {"name": name, "namespace": bed.namespace}, "spec": spec,
    }))
    .unwrap();
    let resource = kube::core::ApiResource::erase::<Graph>(&());
    let api: Api<kube::core::DynamicObject> =
        Api::namespaced_with(bed.admin.clone(), &bed.namespace, &resource);
    until(format!("{name} is taken"), LIMIT, async || {
        api.create(&PostParams::default(), &object).await
    })
    .await
    .unwrap();
}

/// A definition that is missing, foreign, ours, and foreign again: only while it is ours is anything listed.
#[tokio::test]
async fn only_our_definition_is_read() {
    let bed = bed("optional").await;
    let queue = WorkQueue::new();
    let mut watches = Watches::new(
        bed.client.clone(),
        Namespaces::All,
        queue.clone(),
        bed.metrics.clone(),
    );
    let cache: Arc<WatchCache<()>> = watches.start(
        CacheSpec::raw::<Graph>(|_: &RawObject| Ok(()))
            .requires(REQUIRED)
            .recheck(Duration::from_millis(300))
            .on_change(|change| vec![ObjectKey::new("Graph", change.namespace, change.name)]),
    );
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    assert_eq!(cache.state(), [WatchState::NotServed]);

    install(&bed, &foreign()).await;
    make(&bed, "theirs", json!({"services": {"a": 1}})).await;
    until("the foreign definition is told", LIMIT, async || {
        match cache.state().as_slice() {
            [WatchState::Foreign(message)] => Ok(message.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .map(|message| assert!(message.contains("has no spec.model.placement"), "{message}"))
    .unwrap();
    assert!(watches.settled() && cache.is_empty() && !cache.is_listed());
    assert_eq!(queue.depth(), 0);
    let metrics = bed.metrics.encode().unwrap();
    let asked = |line: &&str| line.contains("api_requests") && line.contains("\"graphs\"");
    assert_eq!(metrics.lines().find(asked), None, "nothing is listed of it");

    install(&bed, &Graph::crd()).await;
    until("it is listed once it is ours", LIMIT, async || {
        cache.exists(&bed.namespace, "theirs").then_some(())
    })
    .await
    .unwrap();
    make(&bed, "ours", json!({"model": {"placement": 4}})).await;
    until("changes arrive", LIMIT, async || {
        cache.exists(&bed.namespace, "ours").then_some(())
    })
    .await
    .unwrap();
    assert_eq!(cache.state(), [WatchState::Watching]);

    install(&bed, &foreign()).await;
    until("it is forgotten again", LIMIT, async || {
        let left = cache.names();
        if left.is_empty() && matches!(cache.state().as_slice(), [WatchState::Foreign(_)]) {
            Ok(())
        } else {
            Err(format!("{left:?} {:?}", cache.state()))
        }
    })
    .await
    .unwrap();

    let crds: Api<CustomResourceDefinition> = Api::all(bed.admin.clone());
    crds.delete(Graph::crd_name(), &DeleteParams::default())
        .await
        .unwrap();
    until("it is not served any more", LIMIT, async || {
        (cache.state() == [WatchState::NotServed])
            .then_some(())
            .ok_or_else(|| format!("{:?}", cache.state()))
    })
    .await
    .unwrap();
}

/// Whatever namespaces are watched, a cache may be about another one, and about that one only.
#[tokio::test]
async fn a_cache_of_one_namespace_sees_no_other() {
    let bed = bed("one-namespace").await;
    namespace(&bed.admin, "one-elsewhere").await;
    let only = Namespaces::Only(vec![bed.namespace.clone()]);
    let mut watches = Watches::new(bed.client.clone(), only, WorkQueue::new(), bed.metrics.clone());
    let cache = watches.start(
        CacheSpec::typed::<ConfigMap>(|map| map.data)
            .in_namespace("one-elsewhere")
            .fields("metadata.name=catalogue"),
    );
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    let map = |name: &str| -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": name}})).unwrap()
    };
    for (namespace, name) in [
        (bed.namespace.as_str(), "catalogue"),
        ("one-elsewhere", "other"),
        ("one-elsewhere", "catalogue"),
    ] {
        let api: Api<ConfigMap> = Api::namespaced(bed.admin.clone(), namespace);
        api.create(&PostParams::default(), &map(name)).await.unwrap();
    }
    until("the one arrives", LIMIT, async || {
        cache.get("one-elsewhere", "catalogue")
    })
    .await
    .unwrap();
    assert_eq!(cache.len(), 1, "{:?}", cache.names());
}
