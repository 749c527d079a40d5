//! Caches: a CRD that comes later, watches that are cut or expire, an API server that goes away.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::{
    Api, CustomResource,
    api::{DeleteParams, PostParams},
    core::CustomResourceExt,
};
use reconcile::{CacheSpec, Namespaces, ObjectKey, RawObject, Watches, WorkQueue, cache::WatchState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::until;

use crate::bed::{LIMIT, bed, desired};

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.example.com", version = "v1", kind = "Late", namespaced)]
struct LateSpec {
    word: String,
}

#[derive(Deserialize)]
struct Slim {
    spec: LateSpec,
}

#[derive(Deserialize)]
struct Strict {
    data: StrictData,
}

#[derive(Deserialize)]
struct StrictData {
    number: String,
}

fn word(raw: &RawObject) -> Result<String, serde_json::Error> {
    serde_json::from_str::<Slim>(raw.json()).map(|slim| slim.spec.word)
}

#[tokio::test]
async fn a_crd_that_appears_later_starts_to_work_and_disturbs_nobody_before() {
    let bed = bed("late-crd").await;
    let queue = WorkQueue::new();
    let mut watches = Watches::new(
        bed.client.clone(),
        Namespaces::All,
        queue.clone(),
        bed.metrics.clone(),
    );
    let late = watches.start(
        CacheSpec::raw::<Late>(word)
            .on_change(|change| vec![ObjectKey::new("Late", change.namespace, change.name)]),
    );
    let services = watches.start(CacheSpec::raw::<Service>(|_| Ok(())));
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    assert_eq!(late.state(), [WatchState::NotServed]);
    assert_eq!(services.state(), [WatchState::Watching]);
    let crds: Api<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    > = Api::all(bed.admin.clone());
    crds.create(&PostParams::default(), &Late::crd()).await.unwrap();
    let object = Late::new("a", LateSpec { word: "hello".into() });
    let api: Api<Late> = bed.api();
    let create = async || api.create(&PostParams::default(), &object).await;
    until("the CRD is served", LIMIT, create).await.unwrap();
    let begun = std::time::Instant::now();
    until("the cache fills", LIMIT, async || late.get(&bed.namespace, "a"))
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(queue.depth(), 1);
    crds.delete(Late::crd_name(), &DeleteParams::default())
        .await
        .unwrap();
    until("its objects go with it", LIMIT, async || {
        late.is_empty().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn cut_and_expired_watches_miss_nothing() {
    let bed = bed("cut").await;
    let api = bed.api::<Service>();
    for name in ["stays", "goes"] {
        bed.applier.apply(&desired(bed.service(name, 80))).await.unwrap();
    }
    bed.proxy.set_unreachable(true);
    api.delete("goes", &DeleteParams::default()).await.unwrap();
    let mut comes = bed.service("comes", 80);
    comes.metadata.owner_references = None;
    api.create(&PostParams::default(), &comes).await.unwrap();
    // When it is back, the watch is told that its version is too old: it has to list again.
    bed.proxy.expire_next_watch("/services");
    bed.proxy.set_unreachable(false);
    let names = async || {
        let mut names: Vec<String> = bed
            .services
            .names()
            .into_iter()
            .map(|(_, name)| name.to_string())
            .collect();
        names.sort();
        if names == ["comes", "stays"] {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    };
    until("the cache to be right again", LIMIT, names).await.unwrap();
    until("the rule is used", LIMIT, async || {
        (bed.proxy.pending() == 0).then_some(())
    })
    .await
    .unwrap();
    bed.proxy.cut_watches();
    comes.metadata.name = Some("later".to_owned());
    api.create(&PostParams::default(), &comes).await.unwrap();
    until("changes to arrive again", LIMIT, async || {
        bed.services.get(&bed.namespace, "later")
    })
    .await
    .unwrap();
    assert!(bed.watches.settled());
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_and_the_rest_arrives() {
    let bed = bed("unreadable").await;
    let only = Namespaces::Only(vec![bed.namespace.clone()]);
    let mut watches = Watches::new(bed.client.clone(), only, WorkQueue::new(), bed.metrics.clone());
    let cache = watches.start(CacheSpec::raw::<ConfigMap>(|raw| {
        serde_json::from_str::<Strict>(raw.json()).map(|strict| strict.data.number)
    }));
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    assert!(
        cache
            .unreadable(&bed.namespace, "owner")
            .unwrap()
            .contains("data"),
        "the owner has no data"
    );
    let object =
        serde_json::from_value(serde_json::json!({"metadata": {"name": "good"}, "data": {"number": "1"}}));
    bed.api::<ConfigMap>()
        .create(&PostParams::default(), &object.unwrap())
        .await
        .unwrap();
    until("the good one", LIMIT, async || cache.get(&bed.namespace, "good"))
        .await
        .unwrap();
}
