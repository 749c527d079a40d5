//! The cache without a client: events in, lookups and wake-ups out.

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq)]
struct Fact {
    model: String,
}

#[derive(Deserialize)]
struct Slim {
    data: SlimData,
}

#[derive(Deserialize)]
struct SlimData {
    model: String,
}

fn cache(namespaces: &[&str]) -> WatchCache<Fact> {
    let spec = CacheSpec::raw::<ConfigMap>(|raw| {
        serde_json::from_str::<Slim>(raw.json()).map(|slim| Fact {
            model: slim.data.model,
        })
    })
    .index(|fact: &Fact| vec![format!("model:{}", fact.model)])
    .on_change(|change| vec![ObjectKey::new("Thing", change.namespace, change.name)]);
    WatchCache::new(
        spec,
        namespaces.iter().map(ToString::to_string).collect(),
        WorkQueue::new(),
    )
}

fn object(namespace: &str, name: &str, version: u64, model: &str) -> RawObject {
    RawObject::from_text(format!(
        r#"{{"metadata":{{"namespace":"{namespace}","name":"{name}","resourceVersion":"{version}"}},"data":{{"model":{model}}}}}"#
    ))
    .unwrap()
}

fn names(keys: &[ObjectKey]) -> Vec<&str> {
    keys.iter().map(|key| &*key.name).collect()
}

fn listed(cache: &WatchCache<Fact>, objects: &[RawObject]) -> Vec<ObjectKey> {
    cache.begin(0);
    let mut woken: Vec<_> = objects.iter().flat_map(|object| cache.put(0, object)).collect();
    woken.extend(cache.end(0));
    woken
}

#[test]
fn a_relist_wakes_only_what_changed_or_vanished() {
    let cache = cache(&[]);
    let (a, b) = (object("n", "a", 1, r#""m""#), object("n", "b", 2, r#""m""#));
    assert_eq!(names(&listed(&cache, &[a.clone(), b])), ["a", "b"]);
    let c = object("n", "c", 9, r#""m""#);
    assert_eq!(
        names(&listed(&cache, &[a, c])),
        ["c", "b"],
        "c is new, b was deleted while nobody watched"
    );
    assert_eq!(cache.len(), 2);
    assert_eq!(cache.indexed("model:m").len(), 2);
}

#[test]
fn the_index_follows_changes() {
    let cache = cache(&[]);
    listed(&cache, &[object("n", "a", 1, r#""x""#)]);
    cache.put(0, &object("n", "a", 2, r#""y""#));
    assert!(cache.indexed("model:x").is_empty());
    assert_eq!(cache.indexed("model:y")[0].model, "y");
    cache.delete(0, &object("n", "a", 3, r#""y""#));
    assert!(cache.indexed_names("model:y").is_empty());
    assert!(cache.is_empty());
}

#[test]
fn an_unreadable_object_is_remembered_and_heals() {
    let cache = cache(&[]);
    let woken = listed(
        &cache,
        &[object("n", "bad", 1, "7"), object("n", "good", 2, r#""m""#)],
    );
    assert_eq!(names(&woken), ["bad", "good"]);
    assert!(cache.get("n", "bad").is_none() && cache.exists("n", "bad"));
    assert!(cache.unreadable("n", "bad").unwrap().contains("invalid type"));
    assert!(
        cache.put(0, &object("n", "bad", 3, "7")).is_empty(),
        "the same error is told once"
    );
    assert_eq!(names(&cache.put(0, &object("n", "bad", 4, r#""m""#))), ["bad"]);
    assert_eq!(cache.get("n", "bad").unwrap().model, "m");
}

#[test]
fn an_object_that_makes_us_panic_is_one_unreadable_object() {
    let spec = CacheSpec::raw::<ConfigMap>(|raw| {
        assert_ne!(raw.name(), "bad", "on purpose");
        Ok(())
    });
    let cache = WatchCache::new(spec, Vec::new(), WorkQueue::new());
    cache.begin(0);
    cache.put(0, &object("n", "bad", 1, "1"));
    cache.put(0, &object("n", "good", 2, "1"));
    cache.end(0);
    assert!(cache.unreadable("n", "bad").is_some() && cache.get("n", "good").is_some());
}

#[test]
fn namespaces_are_swept_apart() {
    let cache = cache(&["n0", "n1"]);
    for (stream, namespace) in [(0, "n0"), (1, "n1")] {
        cache.begin(stream);
        cache.put(stream, &object(namespace, "a", 1, r#""m""#));
        cache.end(stream);
    }
    cache.begin(0);
    assert_eq!(names(&cache.end(0)), ["a"]);
    assert!(!cache.exists("n0", "a") && cache.exists("n1", "a"));
    assert_eq!(names(&cache.clear(1)), ["a"]);
    assert!(cache.is_empty());
}

#[test]
fn a_list_with_older_versions_is_believed() {
    let cache = cache(&[]);
    listed(&cache, &[object("n", "a", 100, r#""x""#)]);
    assert_eq!(
        names(&listed(&cache, &[object("n", "a", 5, r#""restored""#)])),
        ["a"]
    );
    assert_eq!(cache.get("n", "a").unwrap().model, "restored");
    assert_eq!(names(&cache.put(0, &object("n", "a", 6, r#""next""#))), ["a"]);
}
