//! Ollama in process and as a program: pull, keep, list, answer, refuse.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bed;
#[path = "../common/mod.rs"]
mod common;
mod downloads;
mod faults;
mod memory;
mod requests;
mod settings;

use std::process::Command;

use bed::{PORT, ollama, parsed};
use common::{Folder, finish, start};
use engine_sim::{Cause, PROGRAM_NAMES, environment_for};
use serde_json::Value;

#[tokio::test]
async fn a_pulled_model_answers_and_outlives_the_server() {
    let (root, volume) = (Folder::new(), Folder::new());
    let first = start(ollama("", &root, &volume)).up(PORT).await;
    assert_eq!(first.get(PORT, "/").await, (200, "Ollama is running".into()));
    let (status, body) = first.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    let lines: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((status, &lines[0]["status"]), (200, &"pulling manifest".into()));
    assert!(
        lines
            .iter()
            .any(|line| line["completed"] == line["total"] && line["total"].is_u64())
    );
    assert_eq!(lines.last().unwrap()["status"], "success");
    first.stop.cancel();
    assert_eq!(first.exit.await.unwrap().code, 0);

    let second = start(ollama("serve", &root, &volume)).up(PORT).await;
    assert_eq!(
        parsed(&second.get(PORT, "/api/tags").await)["models"][0]["name"],
        "tinyllama:latest"
    );
    assert_eq!(
        parsed(&second.get(PORT, "/v1/models").await)["data"][0]["id"],
        "tinyllama:latest"
    );
    assert_eq!(
        parsed(&second.get(PORT, "/api/ps").await)["models"],
        Value::Array(Vec::new())
    );

    let ask = r#"{"model":"tinyllama","prompt":"why is the sky blue","stream":false}"#;
    let answer = parsed(&second.post(PORT, "/api/generate", ask).await);
    assert!(
        answer["response"]
            .as_str()
            .unwrap()
            .contains("why is the sky blue"),
        "{answer}"
    );
    assert_eq!(
        (&answer["done"], &answer["done_reason"]),
        (&true.into(), &"stop".into())
    );
    let running = parsed(&second.get(PORT, "/api/ps").await);
    assert_eq!(running["models"][0]["size"], running["models"][0]["size_vram"]);

    let chat = r#"{"model":"tinyllama","messages":[{"role":"user","content":"hi"}]}"#;
    let (_, body) = second.post(PORT, "/api/chat", chat).await;
    let last: Value = serde_json::from_str(body.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["done"], &last["message"]["role"]),
        (&true.into(), &"assistant".into())
    );
    let answer = parsed(&second.post(PORT, "/v1/chat/completions", chat).await);
    assert_eq!(answer["object"], "chat.completion");

    assert_eq!(
        parsed(&second.post(PORT, "/api/show", r#"{"model":"tinyllama"}"#).await)["details"]["format"],
        "gguf"
    );
    let (_, unloaded) = second
        .post(PORT, "/api/generate", r#"{"model":"tinyllama","keep_alive":0}"#)
        .await;
    assert!(unloaded.contains("unload"), "{unloaded}");
    assert_eq!(
        parsed(&second.get(PORT, "/api/ps").await)["models"],
        Value::Array(Vec::new())
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_real_words() {
    let (root, volume) = (Folder::new(), Folder::new());
    let server = start(ollama("", &root, &volume)).up(PORT).await;
    let (status, body) = server.post(PORT, "/api/pull", r#"{"model":"nosuchmodel"}"#).await;
    assert!(
        status == 200 && body.contains(r#"{"error":"pull model manifest: file does not exist"}"#),
        "{body}"
    );
    let (status, _) = server
        .post(PORT, "/api/pull", r#"{"model":"nosuchmodel","stream":false}"#)
        .await;
    assert_eq!(status, 500);
    let answer = server
        .post(PORT, "/api/generate", r#"{"model":"llama3","prompt":"x"}"#)
        .await;
    assert_eq!(answer, (404, r#"{"error":"model 'llama3' not found"}"#.into()));
    let (status, body) = server
        .post(PORT, "/v1/completions", r#"{"model":"llama3","prompt":"x"}"#)
        .await;
    assert!(
        status == 404 && body.contains("model 'llama3' not found") && body.contains("api_error"),
        "{body}"
    );
}

#[tokio::test]
async fn folders_that_cannot_be_written_end_the_server() {
    let (root, volume) = (Folder::new(), Folder::new());
    let mut read_only = ollama("", &root, &volume);
    read_only.files.mounts[0].read_only = true;
    let (exit, _) = finish(read_only).await;
    let words = "Error: mkdir /models/blobs: read-only file system: ensure path elements are traversable";
    assert_eq!((exit.code, exit.message.as_str()), (1, words));
    let mut homeless = ollama("", &root, &volume);
    homeless.files.user = 1000;
    let (exit, _) = finish(homeless).await;
    assert_eq!(
        exit.message,
        "Error: could not create directory mkdir /.ollama: permission denied"
    );
    let mut tiny = ollama("", &root, &volume);
    tiny.memory_limit = Some(1 << 20);
    assert_eq!(finish(tiny).await.0.cause, Cause::OomKilled);
}

#[tokio::test]
async fn a_server_on_localhost_is_not_reached_from_outside() {
    let (root, volume) = (Folder::new(), Folder::new());
    let mut inner = ollama("", &root, &volume);
    inner.env.remove("OLLAMA_HOST");
    let (address, inside) = (inner.address, inner.loopback);
    let mut client = inner.clone();
    client.argv = vec!["ollama".into(), "--version".into()];
    let server = start(inner);
    while tokio::net::TcpStream::connect((inside, PORT)).await.is_err() {
        assert!(!server.exit.is_finished());
        tokio::task::yield_now().await;
    }
    assert!(tokio::net::TcpStream::connect((address, PORT)).await.is_err());
    assert!(finish(client.clone()).await.1.contains("ollama version is"));
    server.exit.abort();
    client.argv = vec!["ollama".into(), "list".into()];
    client.address = common::address();
    client.loopback = engine_sim::loopback_of(client.address);
    let (exit, log) = finish(client).await;
    assert_eq!(exit.code, 1);
    assert_eq!(
        log,
        "Error: could not connect to ollama server, run 'ollama serve' to start it"
    );
}

/// The script that an init container would run, with this machine's shell and the program under the name `ollama`.
#[tokio::test]
async fn a_script_with_serve_pull_and_run_works_through_links() {
    let (root, volume, bin) = (Folder::new(), Folder::new(), Folder::new());
    for name in PROGRAM_NAMES {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_engine-sim"), bin.0.join(name)).unwrap();
    }
    let mut spec = ollama("", &root, &volume);
    let path = format!("{}:{}", bin.0.display(), std::env::var("PATH").unwrap());
    let script = "ollama serve & server=$!\n\
        until ollama list >/dev/null 2>&1; do sleep 0.05; done\n\
        ollama pull tinyllama || exit 3\n\
        ollama list\n\
        ollama run tinyllama hello world\n\
        echo by pipe | ollama run tinyllama and words\n\
        ollama ps\n\
        ollama stop tinyllama && ollama ps | wc -l\n\
        ollama show tinyllama >/dev/null && ollama cp tinyllama chat && ollama rm tinyllama\n\
        ollama show chat && ollama run chat again\n\
        aws s3 sync --only-show-errors s3://models/llama-3.2-1b /models/s3 && echo synced\n\
        ollama pull nosuchmodel; echo code $?\n\
        vllm serve m --foo; echo code $?\n\
        kill $server; wait $server; echo ended $?";
    spec.env.insert("PATH".into(), path);
    let output = tokio::task::spawn_blocking(move || {
        Command::new("sh")
            .args(["-c", script])
            .env_clear()
            .envs(environment_for(&spec))
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        out.contains("tinyllama:latest") && out.contains("You said: \"hello world\""),
        "{out}\n{err}"
    );
    assert!(out.contains("You said: \"by pipe and words\""), "{out}\n{err}");
    assert!(out.contains("100% GPU     2048       "), "{out}\n{err}");
    assert!(
        out.contains("\n1\n"),
        "after the stop only the heading is left: {out}\n{err}"
    );
    assert!(
        err.contains("Error: pull model manifest: file does not exist") && out.contains("code 1"),
        "{out}\n{err}"
    );
    assert!(
        err.contains("vllm: error: unrecognized arguments: --foo") && out.contains("code 2"),
        "{out}\n{err}"
    );
    assert!(out.contains("ended 0") && out.contains("synced"), "{out}\n{err}");
    assert!(
        out.contains("parameters          1B") && out.contains("This is chat on a simulated engine"),
        "{out}\n{err}"
    );
    assert!(
        volume
            .0
            .join("manifests/registry.ollama.ai/library/chat/latest")
            .is_file()
    );
    let synced = std::fs::metadata(volume.0.join("s3/model.safetensors")).unwrap();
    assert_eq!(synced.len(), 2_480_000_000);
}
