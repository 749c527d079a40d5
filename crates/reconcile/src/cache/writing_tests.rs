//! Writes of ours beside the changes of others: what is seen, and who is woken.

use serde::Deserialize;

use super::*;
use crate::{ObjectKey, WorkQueue, cache::CacheSpec};

#[derive(Deserialize)]
struct Word {
    word: String,
}

fn cache() -> WatchCache<String> {
    let spec = CacheSpec::raw::<k8s_openapi::api::core::v1::ConfigMap>(|raw| {
        serde_json::from_str::<Word>(raw.json()).map(|object| object.word)
    })
    .on_change(|change| {
        let changed = change.old != change.new;
        let key = ObjectKey::new("Thing", change.namespace, change.name);
        changed.then_some(key).into_iter().collect()
    });
    WatchCache::new(spec, Vec::new(), WorkQueue::new())
}

fn object(version: u64, word: &str) -> RawObject {
    RawObject::from_text(format!(
        r#"{{"metadata":{{"namespace":"n","name":"a","resourceVersion":"{version}"}},"word":"{word}"}}"#
    ))
    .unwrap()
}

fn listed(objects: &[RawObject]) -> WatchCache<String> {
    let cache = cache();
    list(&cache, objects);
    cache
}

fn list(cache: &WatchCache<String>, objects: &[RawObject]) {
    cache.begin(0);
    for object in objects {
        cache.put(0, object);
    }
    cache.end(0);
}

fn word(cache: &WatchCache<String>) -> Option<String> {
    cache.get("n", "a").map(|word| (*word).clone())
}

#[test]
fn it_is_visible_at_once_and_its_echo_wakes_nobody() {
    let cache = listed(&[object(5, "x")]);
    Writing::begin(&cache, "n", "a").succeeded(&object(7, "y"));
    assert_eq!(word(&cache).as_deref(), Some("y"));
    assert!(
        cache.put(0, &object(6, "z")).is_empty(),
        "an older event changes nothing"
    );
    assert_eq!(word(&cache).as_deref(), Some("y"));
    assert!(cache.put(0, &object(7, "y")).is_empty());
    assert_eq!(cache.queue.depth(), 0);
}

#[test]
fn an_echo_that_overtakes_the_answer_wakes_nobody_either() {
    let cache = listed(&[]);
    let writing = Writing::begin(&cache, "n", "a");
    assert!(cache.put(0, &object(7, "y")).is_empty());
    writing.succeeded(&object(7, "y"));
    assert_eq!(cache.queue.depth(), 0);
    let writing = Writing::begin(&cache, "n", "a");
    assert!(cache.put(0, &object(8, "z")).is_empty());
    drop(writing);
    assert_eq!(
        cache.queue.depth(),
        1,
        "the write failed: somebody else's change counts"
    );
}

#[test]
fn a_change_of_somebody_else_that_the_answer_brings_wakes() {
    let cache = listed(&[object(5, "x")]);
    let writing = Writing::begin(&cache, "n", "a");
    // Version 6 is somebody's edit; its event comes after the answer and is older than it.
    writing.succeeded_over_change(&object(7, "edited"));
    assert!(cache.put(0, &object(6, "edited")).is_empty());
    assert!(cache.put(0, &object(7, "edited")).is_empty());
    assert_eq!(cache.queue.depth(), 1);
}

#[test]
fn what_is_deleted_already_is_not_entered() {
    let cache = listed(&[object(5, "x")]);
    let writing = Writing::begin(&cache, "n", "a");
    cache.delete(0, &object(8, "x"));
    writing.succeeded(&object(7, "y"));
    assert_eq!(word(&cache), None);
}

#[test]
fn an_answer_that_comes_after_a_list_brings_nothing_back() {
    let cache = listed(&[object(5, "x")]);
    let writing = Writing::begin(&cache, "n", "a");
    // Stored at 7, deleted at 8, and the list at 9 does not show it: no event will ever take it away again.
    list(&cache, &[]);
    writing.succeeded(&object(7, "y"));
    assert_eq!(word(&cache), None);
}

#[test]
fn while_a_list_is_under_way_it_is_visible_until_the_list_says_otherwise() {
    let cache = listed(&[object(5, "x")]);
    cache.begin(0);
    Writing::begin(&cache, "n", "a").succeeded(&object(7, "y"));
    assert_eq!(word(&cache).as_deref(), Some("y"), "a list may fail for long");
    cache.end(0);
    assert_eq!(word(&cache), None);
}
