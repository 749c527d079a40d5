//! DeepSpeed-MII in process: its two ports, what it generates, and what ends it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::net::SocketAddr;

use common::{Folder, finish, spec, start_with};
use engine_sim::{Cause, FaultHandle, ProcessSpec, Program};
use serde_json::Value;

fn mii(line: &str, root: &Folder) -> ProcessSpec {
    spec(Program::DeepspeedMii, line, root)
}

#[tokio::test]
async fn the_gateway_is_healthy_before_the_model_and_generates_after_it() {
    let root = Folder::new();
    let faults = FaultHandle::new();
    let mut spec = mii("--uri microsoft/phi-2", &root);
    spec.env.insert("HF_HOME".into(), "/data".into());
    let running = start_with(spec, faults.clone()).up(8080).await;
    assert_eq!(running.get(8080, "/healthz").await, (200, "ok".into()));
    let running = running.up(50_051).await;
    let ask = r#"{"prompts":["hello there","and you"],"max_new_tokens":100}"#;
    // The port opens a moment before the gateway's client finds it.
    let mut answer = (0, String::new());
    for _ in 0..1000 {
        answer = running.post(8080, "/mii/default", ask).await;
        if answer.0 == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let texts: Value = serde_json::from_str(&answer.1).unwrap();
    assert!(
        texts[0]["generated_text"]
            .as_str()
            .unwrap()
            .contains("hello there")
    );
    assert_eq!(
        (texts.as_array().unwrap().len(), &texts[1]["finish_reason"]),
        (2, &"stop".into())
    );
    assert_eq!(
        running.post(8080, "/mii/default", r#"{"prompt":"x"}"#).await.0,
        500
    );
    assert_eq!(running.get(8080, "/mii/default").await.0, 405);
    assert_eq!(running.get(8080, "/generate").await.0, 404);
    running.stop.cancel();
    assert_eq!(running.exit.await.unwrap().code, 143);
}

#[tokio::test]
async fn the_model_servers_port_is_closed_while_it_loads() {
    let root = Folder::new();
    let mut spec = mii("--uri mistralai/Mistral-7B-v0.1", &root);
    spec.speed = engine_sim::Speed {
        load: 1000.0,
        generate: f64::INFINITY,
    };
    let faults = FaultHandle::new();
    let running = start_with(spec, faults.clone()).up(8080).await;
    faults.stall_load(true);
    let to = SocketAddr::new(running.address, 50_051);
    assert!(tokio::net::TcpStream::connect(to).await.is_err());
    assert_eq!(
        running.post(8080, "/mii/default", r#"{"prompts":"x"}"#).await.0,
        500
    );
    faults.stall_load(false);
    running.up(50_051).await;
}

/// Command line, GPUs, exit code, words of the log.
#[tokio::test]
async fn refusals_have_the_real_codes_and_words() {
    let cases = [
        (
            "--port 9",
            1,
            2,
            "error: the following arguments are required: --uri",
        ),
        (
            "--uri m --port 9",
            1,
            2,
            "error: unrecognized arguments: --port 9",
        ),
        ("--uri microsoft/phi-2", 0, 1, "Only able to place 0 replicas"),
        (
            "--uri acme/does-not-exist",
            1,
            1,
            "ValueError: Model acme/does-not-exist not found",
        ),
        (
            "--uri gpt2",
            1,
            1,
            "ValueError: Unsupported model type gpt2lmheadmodel",
        ),
        (
            "--uri mistralai/Mixtral-8x22B-v0.1",
            1,
            1,
            "torch.cuda.OutOfMemoryError",
        ),
        (
            "--uri meta-llama/Llama-2-7b",
            1,
            1,
            "You are trying to access a gated repo",
        ),
    ];
    for (line, gpus, code, words) in cases {
        let root = Folder::new();
        let mut spec = mii(line, &root);
        spec.gpus.truncate(gpus);
        let (exit, log) = finish(spec).await;
        assert_eq!((exit.code, exit.cause), (code, Cause::Exited), "{line}: {log}");
        assert!(log.contains(words), "{line}: {log}");
    }
    let root = Folder::new();
    let mut small = mii("--uri microsoft/phi-2", &root);
    small.memory_limit = Some(1 << 30);
    assert_eq!(finish(small).await.0.cause, Cause::OomKilled);
}
