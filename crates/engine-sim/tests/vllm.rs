//! vLLM in process: what it serves, and what it refuses with the real one's words.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use common::{Folder, finish, h100, mount, request, spec, start};
use engine_sim::{Cause, FaultHandle, ProcessSpec, Program, Root, Speed, fault};
use serde_json::Value;

fn vllm(line: &str, root: &Folder) -> ProcessSpec {
    spec(Program::Vllm, line, root)
}

#[tokio::test]
async fn a_model_is_served_under_the_real_paths() {
    let root = Folder::new();
    let running = start(vllm(
        "Qwen/Qwen2.5-7B-Instruct --served-model-name qwen chat --port 9000",
        &root,
    ))
    .up(9000)
    .await;
    assert_eq!(running.get(9000, "/health").await, (200, String::new()));
    let (_, models) = running.get(9000, "/v1/models").await;
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(models["data"][0]["id"], "qwen");
    assert_eq!(models["data"][1]["max_model_len"], 32_768);

    let ask = r#"{"model":"chat","messages":[{"role":"user","content":"hello there"}]}"#;
    let (status, answer) = running.post(9000, "/v1/chat/completions", ask).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["object"]), (200, &"chat.completion".into()));
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("hello there")
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");

    let short = r#"{"model":"qwen","prompt":"hello","max_tokens":3}"#;
    let (_, answer) = running.post(9000, "/v1/completions", short).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");

    let (status, wrong) = running
        .post(9000, "/v1/completions", r#"{"model":"other","prompt":"x"}"#)
        .await;
    assert!(
        status == 404 && wrong.contains("The model `other` does not exist."),
        "{wrong}"
    );
    let long = format!(r#"{{"model":"qwen","prompt":"{}"}}"#, "word ".repeat(40_000));
    let (status, wrong) = running.post(9000, "/v1/completions", &long).await;
    assert!(
        status == 400 && wrong.contains("maximum context length is 32768 tokens"),
        "{wrong}"
    );

    let (_, metrics) = running.get(9000, "/metrics").await;
    for line in [
        "vllm:num_requests_running{engine=\"0\",model_name=\"qwen\"} 0.0",
        "vllm:time_to_first_token_seconds_count{engine=\"0\",model_name=\"qwen\"} 2.0",
        "vllm:request_success_total{engine=\"0\",model_name=\"qwen\",finished_reason=\"length\"} 1.0",
        "vllm:inter_token_latency_seconds_bucket{engine=\"0\",model_name=\"qwen\",le=\"0.01\"}",
        "vllm:kv_cache_usage_perc",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    running.stop.cancel();
    assert_eq!(running.exit.await.unwrap().code, 0);
}

#[tokio::test]
async fn streams_end_with_usage_and_done_and_keys_are_asked_for() {
    let root = Folder::new();
    let running = start(vllm("--model facebook/opt-125m --api-key secret", &root))
        .up(8000)
        .await;
    let to = SocketAddr::new(running.address, 8000);
    let ask = r#"{"model":"facebook/opt-125m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    let (status, body) = request(to, "POST", "/v1/chat/completions", &BTreeMap::new(), ask).await;
    assert_eq!((status, body.as_str()), (401, r#"{"error":"Unauthorized"}"#));
    assert_eq!(running.get(8000, "/health").await.0, 200);
    let key = BTreeMap::from([("authorization", "Bearer secret")]);
    let (status, body) = request(to, "POST", "/v1/chat/completions", &key, ask).await;
    assert_eq!(status, 200);
    let events: Vec<&str> = body
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let parsed: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|e| serde_json::from_str(e).unwrap())
        .collect();
    assert_eq!(parsed[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(
        parsed.last().unwrap()["usage"]["completion_tokens"]
            .as_u64()
            .unwrap()
            > 5
    );
    let text: String = parsed
        .iter()
        .filter_map(|e| e["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(text.ends_with("\"hi\""), "{text}");
}

/// Command line, GPUs, exit code, words of the message.
#[tokio::test]
async fn refusals_have_the_real_codes_and_words() {
    let cases = [
        ("m --foo", 1, 2, "vllm: error: unrecognized arguments: --foo"),
        (
            "m --max-num-seqs abc",
            1,
            2,
            "vllm serve: error: argument --max-num-seqs: invalid int value: 'abc'",
        ),
        ("m", 0, 1, "Failed to infer device type"),
        (
            "m -tp 4",
            2,
            1,
            "World size (4) is larger than the number of available GPUs (2) in this node.",
        ),
        (
            "Qwen/Qwen2.5-7B --tensor-parallel-size 8",
            8,
            1,
            "Total number of attention heads (28) must be divisible by tensor parallel size (8).",
        ),
        (
            "meta-llama/Llama-3.1-70B --hf-token t",
            1,
            1,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
        ),
        (
            "Qwen/Qwen2.5-32B",
            1,
            1,
            "To serve at least one request with the model's max seq len (32768)",
        ),
        (
            "Qwen/Qwen3-32B --gpu-memory-utilization 0.8",
            1,
            1,
            "No available memory for the cache blocks.",
        ),
        (
            "Qwen/Qwen3-8B --max-model-len 100000",
            1,
            1,
            "User-specified max_model_len (100000) is greater than the derived",
        ),
        (
            "Qwen/Qwen3-8B --gpu-memory-utilization 1.5",
            1,
            1,
            "Input should be less than or equal to 1",
        ),
        (
            "meta-llama/Llama-3.1-8B",
            1,
            1,
            "You are trying to access a gated repo.",
        ),
        (
            "/models/missing",
            1,
            1,
            "Invalid repository ID or local directory specified: '/models/missing'.",
        ),
        ("acme/does-not-exist", 1, 1, "Invalid repository ID"),
        (
            "Qwen/Qwen3-8B -q awq",
            1,
            1,
            "Cannot find the config file for awq",
        ),
        (
            "Qwen/Qwen3-8B -q best",
            1,
            1,
            "Unknown quantization method: best.",
        ),
        ("Qwen/Qwen3-8B -tp 2", 2, 1, "NCCL error: unhandled system error"),
    ];
    for (line, gpus, code, words) in cases {
        let root = Folder::new();
        let mut spec = vllm(line, &root);
        spec.gpus = h100(gpus);
        if gpus > 2 {
            spec.files.mounts.push(mount("/dev/shm", &root.0.join("shm")));
        }
        let (exit, log) = finish(spec).await;
        assert_eq!(
            (exit.code, exit.cause),
            (code, Cause::Exited),
            "{line}: {}",
            exit.message
        );
        assert!(exit.message.contains(words), "{line}: {}", exit.message);
        assert!(log.contains(words.split('\n').next().unwrap()), "{line}: {log}");
    }
}

#[tokio::test]
async fn a_length_that_fits_is_found_for_auto() {
    let root = Folder::new();
    let running = start(vllm("Qwen/Qwen2.5-32B --max-model-len auto", &root))
        .up(8000)
        .await;
    let (_, models) = running.get(8000, "/v1/models").await;
    let models: Value = serde_json::from_str(&models).unwrap();
    let length = models["data"][0]["max_model_len"].as_u64().unwrap();
    assert!(length > 1000 && length < 32_768, "{length}");
}

#[tokio::test]
async fn options_come_from_a_file_and_the_command_line_wins() {
    let root = Folder::new();
    let yaml = "model: facebook/opt-125m\nport: 8100\nserved-model-name: [a, b]\nmax-model-len: 512\nenforce-eager: true\n";
    std::fs::write(root.0.join("serve.yaml"), yaml).unwrap();
    let mut spec = vllm("--config /etc/vllm/serve.yaml --max-model-len 1k", &root);
    spec.files.mounts.push(mount("/etc/vllm", &root.0));
    let (_, models) = start(spec).up(8100).await.get(8100, "/v1/models").await;
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(
        (&models["data"][1]["id"], &models["data"][0]["max_model_len"]),
        (&"b".into(), &1000.into())
    );
    let (exit, _) = finish(vllm("--config /etc/none.yaml", &root)).await;
    assert!(
        exit.message
            .contains("No such file or directory: '/etc/none.yaml'"),
        "{}",
        exit.message
    );
}

/// A file is read as the command line is: the same values, the same refusals.
#[tokio::test]
async fn a_file_is_refused_as_its_words_would_be() {
    let root = Folder::new();
    let with = |yaml: &str, line: &str| {
        std::fs::write(root.0.join("engine.yaml"), yaml).unwrap();
        let mut spec = vllm(line, &root);
        spec.files.mounts.push(mount("/etc/vllm", &root.0));
        spec
    };
    let line = "facebook/opt-125m --config /etc/vllm/engine.yaml";
    let taken = "port: 8101\nmax-model-len: \"1k\"\ngpu-memory-utilization: 0.5\nenable-prefix-caching: false\n\
        disable-log-stats: false\ndtype: \"half\"\ncompilation-config:\n  pass_config: {a: true}\n";
    let (_, models) = start(with(taken, line))
        .up(8101)
        .await
        .get(8101, "/v1/models")
        .await;
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(
        (&models["data"][0]["id"], &models["data"][0]["max_model_len"]),
        (&"facebook/opt-125m".into(), &1000.into())
    );
    for (yaml, line, code, words) in [
        (
            "no-such-option: 4\n",
            line,
            2,
            "unrecognized arguments: --no-such-option 4",
        ),
        (
            "max-num-seqs: many\n",
            line,
            2,
            "argument --max-num-seqs: invalid int value: 'many'",
        ),
        (
            "gpu-memory-utilization: 1.5\n",
            line,
            1,
            "Input should be less than or equal to 1",
        ),
        (
            "port: 8101\n",
            "--config /etc/vllm/engine.yaml",
            1,
            "No model specified!",
        ),
        ("", "facebook/opt-125m --config", 1, "No config file specified!"),
        (
            "",
            "facebook/opt-125m --config /etc/vllm/engine.json",
            1,
            "Config file must be of a yaml/yml type. json supplied",
        ),
    ] {
        let (exit, output) = finish(with(yaml, line)).await;
        assert_eq!(exit.code, code, "{yaml}: {}", exit.message);
        assert!(
            output.contains(words) || exit.message.contains(words),
            "{yaml}: {output}"
        );
    }
}

#[tokio::test]
async fn weights_are_downloaded_once_per_volume() {
    let (root, volume) = (Folder::new(), Folder::new());
    let started = || {
        let mut spec = vllm("Qwen/Qwen3-0.6B", &root);
        spec.files.mounts.push(mount("/data", &volume.0));
        spec.env.insert("HF_HOME".into(), "/data/hf".into());
        start(spec)
    };
    let first = started().up(8000).await;
    assert!(
        first
            .log
            .lock()
            .iter()
            .any(|line| line.contains("Time spent downloading weights"))
    );
    let weights = volume
        .0
        .join("hf/hub/models--Qwen--Qwen3-0.6B/snapshots/main/model.safetensors");
    assert_eq!(std::fs::metadata(weights).unwrap().len(), 1_200_000_000);
    let second = started().up(8000).await;
    assert!(
        !second
            .log
            .lock()
            .iter()
            .any(|line| line.contains("Time spent downloading weights"))
    );
    let mut local = vllm(
        "--model /data/hf/hub/models--Qwen--Qwen3-0.6B/snapshots/main",
        &root,
    );
    local.files.mounts.push(mount("/data", &volume.0));
    assert_eq!(start(local).up(8000).await.get(8000, "/health").await.0, 200);
}

#[tokio::test]
async fn volumes_that_cannot_take_the_weights_end_it() {
    let volume = Folder::new();
    let cases = [
        (true, None, 0, "[Errno 30] Read-only file system"),
        (false, Some(1 << 20), 0, "[Errno 28] No space left on device"),
    ];
    for (read_only, capacity, user, words) in cases {
        let root = Folder::new();
        let mut spec = vllm("Qwen/Qwen3-0.6B", &root);
        let mut data = mount("/data", &volume.0);
        (data.read_only, data.capacity) = (read_only, capacity);
        spec.files.mounts.push(data);
        spec.files.user = user;
        spec.env.insert("HF_HOME".into(), "/data".into());
        let (exit, _) = finish(spec).await;
        assert!(exit.code == 1 && exit.message.contains(words), "{}", exit.message);
    }
    let root = Folder::new();
    let mut without = vllm("Qwen/Qwen3-0.6B", &root);
    without.files.user = 1000;
    let (exit, _) = finish(without).await;
    assert!(
        exit.message
            .contains("PermissionError at /.cache/huggingface/hub"),
        "{}",
        exit.message
    );
    let mut read_only = vllm("Qwen/Qwen3-0.6B", &root);
    read_only.files.root = Root::ReadOnly(root.0.clone());
    assert!(
        finish(read_only)
            .await
            .0
            .message
            .contains("Read-only file system")
    );
}

#[tokio::test]
async fn the_port_opens_after_loading_and_faults_reach_it() {
    let root = Folder::new();
    let faults = FaultHandle::new();
    faults.stall_load(true);
    let spec = vllm("facebook/opt-125m", &root);
    let running = common::start_with(spec, faults.clone());
    let to = SocketAddr::new(running.address, 8000);
    while !running
        .log
        .lock()
        .iter()
        .any(|line| line.contains("Using max model len"))
    {
        tokio::task::yield_now().await;
    }
    assert!(tokio::net::TcpStream::connect(to).await.is_err());
    faults.stall_load(false);
    let running = running.up(8000).await;
    faults.health(fault::Health::Failing);
    assert_eq!(running.get(8000, "/health").await.0, 503);
    faults.health(fault::Health::Hanging);
    let hung = tokio::time::timeout(Duration::from_millis(50), running.get(8000, "/health")).await;
    assert!(hung.is_err());
    faults.crash(139, "Segmentation fault");
    let exit = running.exit.await.unwrap();
    assert_eq!((exit.code, exit.message.as_str()), (139, "Segmentation fault"));
    assert!(tokio::net::TcpStream::connect(to).await.is_err());
}

#[tokio::test]
async fn a_small_memory_limit_kills_it_and_sigterm_drains_as_told() {
    let root = Folder::new();
    let mut small = vllm("facebook/opt-125m", &root);
    small.memory_limit = Some(1 << 30);
    let (exit, _) = finish(small).await;
    assert_eq!((exit.code, exit.cause), (137, Cause::OomKilled));

    for (option, finished) in [("", false), ("--shutdown-timeout 20", true)] {
        let mut spec = vllm(&format!("facebook/opt-125m {option}"), &root);
        spec.speed = Speed {
            load: f64::INFINITY,
            generate: 0.2,
        };
        let running = start(spec).up(8000).await;
        let to = SocketAddr::new(running.address, 8000);
        let ask = r#"{"model":"facebook/opt-125m","prompt":"hi","max_tokens":30,"ignore_eos":true}"#;
        let asked =
            tokio::spawn(async move { request(to, "POST", "/v1/completions", &BTreeMap::new(), ask).await });
        while !running
            .get(8000, "/metrics")
            .await
            .1
            .contains("running{engine=\"0\",model_name=\"facebook/opt-125m\"} 1.0")
        {}
        running.stop.cancel();
        assert_eq!(running.exit.await.unwrap().code, 0);
        assert_eq!(asked.await.unwrap().0 == 200, finished, "{option}");
    }
}
