//! `OLLAMA_*` and what requests say about keeping models.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Lines, PORT, parsed};
use crate::common::{Running, request};

async fn models(server: &Running) -> Vec<Value> {
    parsed(&server.get(PORT, "/api/ps").await)["models"]
        .as_array()
        .unwrap()
        .clone()
}

/// Seconds until the first model goes.
async fn expires_in(server: &Running) -> i64 {
    let at = models(server).await[0]["expires_at"].as_str().unwrap().to_owned();
    at.parse::<jiff::Timestamp>().unwrap().as_second() - jiff::Timestamp::now().as_second()
}

#[tokio::test]
async fn variables_are_read_as_the_real_one_reads_them() {
    let bed = Bed::new();
    let env = [
        ("OLLAMA_HOST", " '0.0.0.0' "),
        ("OLLAMA_KEEP_ALIVE", "-1"),
        ("OLLAMA_LOAD_TIMEOUT", "1200s"),
        ("OLLAMA_MAX_QUEUE", "many"),
        ("OLLAMA_NUM_PARALLEL", "4"),
        ("OLLAMA_MAX_LOADED_MODELS", "2"),
        ("OLLAMA_CONTEXT_LENGTH", "1024"),
        ("OLLAMA_NOPRUNE", "1"),
        ("OLLAMA_ORIGINS", "https://chat.example"),
    ];
    let server = bed.up(&env).await;
    let log = server.log.lock().join("\n");
    for part in [
        "OLLAMA_HOST:http://0.0.0.0:11434 ",
        "OLLAMA_KEEP_ALIVE:2562047h47m16.854775807s ",
        "OLLAMA_LOAD_TIMEOUT:20m0s ",
        "OLLAMA_MAX_QUEUE:512 ",
        "OLLAMA_NUM_PARALLEL:4 ",
        "OLLAMA_MAX_LOADED_MODELS:2 ",
        "OLLAMA_CONTEXT_LENGTH:1024 ",
        "OLLAMA_NOPRUNE:true ",
        "OLLAMA_ORIGINS:[https://chat.example http://localhost ",
        "msg=\"invalid environment variable, using default\" key=OLLAMA_MAX_QUEUE value=many default=512",
    ] {
        assert!(log.contains(part), "{part} in\n{log}");
    }
    let to = SocketAddr::new(server.address, PORT);
    for (origin, status) in [
        ("https://chat.example", 200),
        ("http://localhost:3000", 200),
        ("https://evil.example", 403),
    ] {
        let headers = BTreeMap::from([("origin", origin)]);
        assert_eq!(request(to, "GET", "/", &headers, "").await.0, status, "{origin}");
    }
    server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    server
        .post(PORT, "/api/generate", r#"{"model":"tinyllama"}"#)
        .await;
    let model = &models(&server).await[0];
    // 638 MB of weights and four caches of 1024 tokens.
    assert_eq!(model["context_length"], 1024);
    assert_eq!(model["size"], 637_700_107_u64 + 4 * 1024 * 22_528);
    assert!(expires_in(&server).await > 3_000_000_000, "for ever");
}

#[tokio::test]
async fn keep_alive_counts_from_the_last_answer() {
    let bed = Bed::new();
    let server = bed.up(&[("OLLAMA_KEEP_ALIVE", "10m")]).await;
    server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    let cases = [
        ("", 600),
        (r#","keep_alive":"1h""#, 3600),
        (r#","keep_alive":90"#, 90),
        (r#","keep_alive":"5m""#, 300),
    ];
    for (given, seconds) in cases {
        let body = format!(r#"{{"model":"tinyllama","prompt":"x"{given}}}"#);
        server.post(PORT, "/api/generate", &body).await;
        let left = expires_in(&server).await;
        assert!((seconds - 10..=seconds).contains(&left), "{given}: {left}");
    }
    server
        .post(PORT, "/api/generate", r#"{"model":"tinyllama","keep_alive":-1}"#)
        .await;
    assert!(expires_in(&server).await > 3_000_000_000);
    // Asked with 0 it is answered and gone.
    let gone = r#"{"model":"tinyllama","prompt":"x","keep_alive":0,"stream":false}"#;
    assert!(parsed(&server.post(PORT, "/api/generate", gone).await)["response"].is_string());
    for _ in 0..200 {
        if models(&server).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("still in memory");
}

#[tokio::test]
async fn the_number_of_models_and_of_those_who_wait_is_bounded() {
    let bed = Bed::new();
    let server = bed
        .up(&[("OLLAMA_MAX_LOADED_MODELS", "1"), ("OLLAMA_MAX_QUEUE", "1")])
        .await;
    for model in ["tinyllama", "phi"] {
        server
            .post(PORT, "/api/pull", &format!(r#"{{"model":"{model}"}}"#))
            .await;
        server
            .post(PORT, "/api/generate", &format!(r#"{{"model":"{model}"}}"#))
            .await;
    }
    let names: Vec<Value> = models(&server)
        .await
        .iter()
        .map(|model| model["name"].clone())
        .collect();
    assert_eq!(names, ["phi:latest"]);

    // One is loaded, one waits, the third is turned away.
    server.faults.stall_load(true);
    let load = r#"{"model":"tinyllama"}"#;
    let waiting = [
        Lines::post(&server, "/api/generate", load).await,
        Lines::post(&server, "/api/generate", load).await,
    ];
    let busy = loop {
        let more = server.post(PORT, "/api/generate", load);
        match tokio::time::timeout(Duration::from_millis(100), more).await {
            Ok(answer) => break answer,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let words = r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#;
    assert_eq!(busy, (503, words.to_owned()));
    server.faults.stall_load(false);
    for mut lines in waiting {
        assert_eq!(lines.next().await.unwrap()["done_reason"], "load");
    }
}

#[tokio::test]
async fn a_load_that_stands_still_is_given_up() {
    let bed = Bed::new();
    let server = bed.up(&[("OLLAMA_LOAD_TIMEOUT", "200ms")]).await;
    server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    server.faults.stall_load(true);
    let (status, body) = server
        .post(PORT, "/api/generate", r#"{"model":"tinyllama"}"#)
        .await;
    assert!(
        status == 500 && body.contains("timed out waiting for llama runner to start - progress 0.00 - "),
        "{body}"
    );
}
