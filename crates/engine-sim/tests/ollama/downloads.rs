//! Pulls: progress, sharing, going away, going on.

use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Lines, PORT, parsed};

const TINY: &str = r#"{"model":"tinyllama"}"#;

fn completed(line: &Value) -> u64 {
    line["completed"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_pull_tells_every_layer_and_its_steps_in_the_real_words() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    let (_, body) = server.post(PORT, "/api/pull", TINY).await;
    let lines: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut statuses: Vec<&str> = lines
        .iter()
        .map(|line| line["status"].as_str().unwrap())
        .collect();
    statuses.dedup();
    assert_eq!(statuses[0], "pulling manifest");
    assert!(
        statuses[1..5]
            .iter()
            .all(|status| status.starts_with("pulling ") && status.len() == 20)
    );
    assert_eq!(
        statuses[5..],
        ["verifying sha256 digest", "writing manifest", "success"]
    );
    let weights: Vec<&Value> = lines
        .iter()
        .filter(|line| line["total"] == 637_699_456_u64)
        .collect();
    assert!(
        weights.iter().map(|line| completed(line)).is_sorted(),
        "{weights:?}"
    );
    assert_eq!(completed(weights[weights.len() - 1]), 637_699_456);
    assert!(weights[0]["digest"].as_str().unwrap().starts_with("sha256:"));

    let tags = parsed(&server.get(PORT, "/api/tags").await);
    let model = &tags["models"][0];
    assert_eq!(
        (&model["name"], &model["size"]),
        (&"tinyllama:latest".into(), &637_700_107_u64.into())
    );
    assert_eq!(model["details"]["quantization_level"], "Q4_0");

    // Again: everything is there, nothing is downloaded.
    let (_, again) = server.post(PORT, "/api/pull", TINY).await;
    assert!(again.ends_with("{\"status\":\"success\"}\n"), "{again}");
    assert_eq!(bed.downloads(), [0]);
}

#[tokio::test]
async fn two_pulls_share_one_download_and_both_see_it() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.faults.stall_load(true);
    let mut first = Lines::post(&server, "/api/pull", TINY).await;
    first.until(|line| line["total"].is_u64()).await;
    let mut second = Lines::post(&server, "/api/pull", TINY).await;
    second.until(|line| line["total"].is_u64()).await;
    // Progress is told again and again, also when there is none.
    let line = second.next().await.unwrap();
    assert_eq!(line["total"], 637_699_456_u64);
    server.faults.stall_load(false);
    for stream in [&mut first, &mut second] {
        stream.until(|line| completed(line) == 637_699_456).await;
        stream.until(|line| line["status"] == "success").await;
        assert_eq!(stream.next().await, Err(true), "the end");
    }
    assert_eq!(bed.downloads(), [0]);
}

#[tokio::test]
async fn a_download_goes_on_for_who_is_left_and_stops_with_the_last() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.faults.slow_model_pulls(Some(Duration::from_secs(20)));
    let mut first = Lines::post(&server, "/api/pull", TINY).await;
    first.until(|line| completed(line) > 0).await;
    let mut second = Lines::post(&server, "/api/pull", TINY).await;
    let seen = completed(&second.until(|line| completed(line) > 0).await);
    drop(first);
    second.until(|line| completed(line) > seen * 2).await;
    drop(second);
    let part = bed.volume.0.join("blobs").join(
        bed.blobs()
            .into_iter()
            .find(|name| name.ends_with("-partial-0"))
            .unwrap(),
    );
    let kept = loop {
        let part: Value = serde_json::from_slice(&std::fs::read(&part).unwrap()).unwrap_or_default();
        if part["Completed"].as_u64().unwrap_or(0) > 0 {
            break part;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((&kept["Offset"], &kept["Size"]), (&0.into(), &100_000_000.into()));

    // Another server on the same volume that does not prune goes on with it.
    server.stop.cancel();
    server.exit.await.unwrap();
    let server = bed.up(&[("OLLAMA_NOPRUNE", "1")]).await;
    let (_, body) = server.post(PORT, "/api/pull", TINY).await;
    assert!(body.contains("success"), "{body}");
    let downloads = bed.downloads();
    assert!(
        downloads.len() == 2 && downloads[1] > seen,
        "{downloads:?} after {seen}"
    );
    let blobs = bed.blobs();
    assert!(
        blobs.len() == 4 && blobs.iter().all(|name| !name.contains("partial")),
        "{blobs:?}"
    );
}

#[tokio::test]
async fn a_start_prunes_what_is_half_there_unless_told_not_to() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.post(PORT, "/api/pull", r#"{"model":"phi"}"#).await;
    server.faults.stall_load(true);
    let mut lines = Lines::post(&server, "/api/pull", TINY).await;
    lines.until(|line| line["total"].is_u64()).await;
    drop(lines);
    server.stop.cancel();
    server.exit.await.unwrap();
    for (no_prune, partial) in [("1", true), ("", false)] {
        let server = bed.up(&[("OLLAMA_NOPRUNE", no_prune)]).await;
        let blobs = bed.blobs();
        assert_eq!(
            blobs.iter().any(|name| name.contains("partial")),
            partial,
            "{blobs:?}"
        );
        let tags = parsed(&server.get(PORT, "/api/tags").await);
        assert_eq!(tags["models"][0]["name"], "phi:latest");
        server.stop.cancel();
        server.exit.await.unwrap();
    }
}

#[tokio::test]
async fn removing_a_model_keeps_what_its_copy_needs() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.post(PORT, "/api/pull", TINY).await;
    let copy = r#"{"source":"tinyllama","destination":"llm-operator/finished:0f8fad5b-d9cb-469f-a165-70867728950e"}"#;
    assert_eq!(server.post(PORT, "/api/copy", copy).await, (200, String::new()));
    let to = std::net::SocketAddr::new(server.address, PORT);
    let none = std::collections::BTreeMap::new();
    let removed = crate::common::request(to, "DELETE", "/api/delete", &none, TINY).await;
    assert_eq!(removed.0, 200);
    let tags = parsed(&server.get(PORT, "/api/tags").await);
    assert_eq!(tags["models"].as_array().unwrap().len(), 1);
    assert_eq!(bed.blobs().len(), 4);
    let last = r#"{"model":"llm-operator/finished:0f8fad5b-d9cb-469f-a165-70867728950e"}"#;
    crate::common::request(to, "DELETE", "/api/delete", &none, last).await;
    assert_eq!(bed.blobs().len(), 0);
}
