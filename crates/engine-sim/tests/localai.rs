//! LocalAI in process: what it serves, what it refuses, and what it does with models that cannot be had.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::net::SocketAddr;

use common::{Folder, finish, mount, request, spec, start};
use engine_sim::{Cause, FaultHandle, ProcessSpec, Program, Root, fault};
use serde_json::Value;

/// A server whose `/models` is `models`.
fn localai(line: &str, root: &Folder, models: &Folder) -> ProcessSpec {
    let mut spec = spec(Program::LocalAi, line, root);
    spec.gpus.clear();
    spec.env.insert("MODELS_PATH".into(), "/models".into());
    spec.env.insert("DEBUG".into(), "true".into());
    spec.files.mounts.push(mount("/models", &models.0));
    spec
}

fn ids(models: &str) -> Vec<String> {
    let models: Value = serde_json::from_str(models).unwrap();
    let all = models["data"].as_array().unwrap();
    all.iter()
        .map(|card| card["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_gallery_model_is_fetched_and_served_under_the_real_paths() {
    let (root, models) = (Folder::new(), Folder::new());
    let running = start(localai("tinyllama-chat", &root, &models)).up(8080).await;
    assert_eq!(running.get(8080, "/readyz").await, (200, "OK".into()));
    assert_eq!(running.get(8080, "/healthz").await.0, 200);
    assert_eq!(ids(&running.get(8080, "/v1/models").await.1), ["tinyllama-chat"]);

    let ask = r#"{"model":"tinyllama-chat","prompt":"A long time ago in a galaxy far, far away, there was","temperature":0.7}"#;
    let (status, answer) = running.post(8080, "/v1/completions", ask).await;
    let whole = answer.contains("far, far away") && answer.contains("\"finish_reason\":\"stop\"");
    assert!(status == 200 && whole, "{answer}");
    let ask = r#"{"model":"tinyllama-chat","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let (status, events) = running.post(8080, "/v1/chat/completions", ask).await;
    assert!(
        status == 200 && events.trim_end().ends_with("data: [DONE]"),
        "{events}"
    );

    let (_, metrics) = running.get(8080, "/metrics").await;
    assert!(
        metrics.contains("method=\"POST\",path=\"/v1/completions\",le=\"+Inf\"} 1.0"),
        "{metrics}"
    );
    assert_eq!(running.get(8080, "/nothing").await.0, 404);
    running.stop.cancel();
    assert_eq!(running.exit.await.unwrap().code, 143);
}

#[tokio::test]
async fn an_unknown_name_is_logged_and_the_server_serves_without_it() {
    let (root, models) = (Folder::new(), Folder::new());
    let running = start(localai("no-model-of-this-name phi-2", &root, &models))
        .up(8080)
        .await;
    assert_eq!(ids(&running.get(8080, "/v1/models").await.1), ["phi-2"]);
    let log = running.log.lock().join("\n");
    assert!(
        log.contains("[startup] failed resolving model 'no-model-of-this-name'"),
        "{log}"
    );
    let ask = r#"{"model":"no-model-of-this-name","prompt":"x"}"#;
    let (status, answer) = running.post(8080, "/v1/completions", ask).await;
    assert!(
        status == 500 && answer.contains("could not load model"),
        "{answer}"
    );
}

#[tokio::test]
async fn configuration_files_and_loose_files_are_models_and_broken_ones_are_passed_over() {
    let (root, models) = (Folder::new(), Folder::new());
    for (name, text) in [
        (
            "mine.yaml",
            "name: mine\nparameters:\n  model: weights.gguf\ncontext_size: 64\n",
        ),
        (
            "bert.yaml",
            "name: bert\nbackend: sentencetransformers\nembeddings: true\nparameters: {model: s/bert}\n",
        ),
        ("broken.yaml", "name: [broken\n"),
        ("weights.gguf", "GGUF and so on"),
        ("other", "GGUF"),
        ("page", "<html>404</html>"),
    ] {
        std::fs::write(models.0.join(name), text).unwrap();
    }
    let running = start(localai("", &root, &models)).up(8080).await;
    assert_eq!(
        ids(&running.get(8080, "/v1/models").await.1),
        ["bert", "mine", "other", "page"]
    );
    assert!(running.log.lock().iter().any(|line| line.contains("broken.yaml")));
    let ask = async |model: &str| {
        let body = format!(r#"{{"model":"{model}","prompt":"x"}}"#);
        running.post(8080, "/v1/completions", &body).await
    };
    assert_eq!((ask("mine").await.0, ask("other").await.0), (200, 200));
    let (status, answer) = ask("page").await;
    assert!(
        status == 500 && answer.contains("invalid magic"),
        "an error page is no model: {answer}"
    );
    let (status, answer) = running
        .post(8080, "/v1/embeddings", r#"{"model":"bert","input":"a sentence"}"#)
        .await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (status, answer["data"][0]["embedding"].as_array().unwrap().len()),
        (200, 384)
    );
}

#[tokio::test]
async fn a_model_is_fetched_from_a_server_of_the_test() {
    let (root, models, files) = (Folder::new(), Folder::new(), common::FileServer::start().await);
    files.add("/small.gguf", b"GGUF small");
    files.redirect("/moved.gguf", "/small.gguf");
    let text = format!("name: own\nparameters:\n  model: {}/moved.gguf\n", files.url());
    std::fs::write(models.0.join("own.yaml"), text).unwrap();
    let gone = format!("name: zgone\nparameters:\n  model: {}/gone.gguf\n", files.url());
    std::fs::write(models.0.join("zgone.yaml"), gone).unwrap();
    let running = start(localai("", &root, &models)).up(8080).await;
    let ask = r#"{"model":"own","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(running.post(8080, "/v1/chat/completions", ask).await.0, 200);
    let log = running.log.lock().join("\n");
    assert!(
        log.contains("error downloading models") && log.contains("invalid status code 404"),
        "{log}"
    );
}

#[tokio::test]
async fn refusals_are_kongs_and_keys_are_asked_for() {
    let (root, models) = (Folder::new(), Folder::new());
    let (exit, log) = finish(localai("--no-such-flag", &root, &models)).await;
    assert_eq!((exit.code, exit.cause), (1, Cause::Exited));
    assert!(
        log.contains("local-ai: error: unknown flag --no-such-flag"),
        "{log}"
    );
    let mut read_only = localai("", &root, &models);
    read_only.files.root = Root::ReadOnly(root.0.clone());
    let (exit, _) = finish(read_only).await;
    assert!(
        exit.message.contains("unable to create ImageDir"),
        "{}",
        exit.message
    );

    let running = start(localai("--address :9090 --api-keys secret", &root, &models))
        .up(9090)
        .await;
    assert_eq!(running.get(9090, "/v1/models").await.0, 401);
    assert_eq!(running.get(9090, "/readyz").await.0, 200);
    let to = SocketAddr::new(running.address, 9090);
    let key = std::collections::BTreeMap::from([("authorization", "Bearer secret")]);
    assert_eq!(request(to, "GET", "/v1/models", &key, "").await.0, 200);
}

#[tokio::test]
async fn the_port_opens_after_the_download_and_memory_ends_it() {
    let (root, models) = (Folder::new(), Folder::new());
    let faults = FaultHandle::new();
    faults.stall_load(true);
    let running = common::start_with(localai("hermes-2-pro-mistral", &root, &models), faults.clone());
    while !running.log.lock().iter().any(|line| line.contains("Downloading")) {
        tokio::task::yield_now().await;
    }
    let to = SocketAddr::new(running.address, 8080);
    assert!(tokio::net::TcpStream::connect(to).await.is_err());
    faults.stall_load(false);
    let running = running.up(8080).await;
    faults.health(fault::Health::Failing);
    assert_eq!(running.get(8080, "/readyz").await.0, 503);

    let mut small = localai("hermes-2-pro-mistral", &root, &models);
    small.memory_limit = Some(600 << 20);
    let running = start(small).up(8080).await;
    let ask = r#"{"model":"hermes-2-pro-mistral","prompt":"x"}"#;
    let _ = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        running.post(8080, "/v1/completions", ask),
    )
    .await;
    let exit = running.exit.await.unwrap();
    assert_eq!((exit.code, exit.cause), (137, Cause::OomKilled));
}
