//! Init containers that download: real shells, curl and tar against a web server of the test, and the engines that
//! serve what came of it.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};
use testkit::{FileServer, archive, until};

use crate::bed::{Bed, LIMIT, phase, ready, status};

const TRITON: &str = "nvcr.io/nvidia/tritonserver:24.01-py3";
const LOCALAI: &str = "quay.io/go-skynet/local-ai:v2.15.0-ffmpeg-core";

/// Name, image, script, path on the server, exit code, words of the log (files that are there stand at its end).
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i32,
    &'static str,
);

const CASES: &[Case] = &[
    // The script of prem-operator as it is (1.7-7): GNU tar takes the dash for the name of a member.
    (
        "original-tar",
        TRITON,
        "curl -s -L $MODEL_PATH | tar xvz - -C /models",
        "/model.tar.gz",
        2,
        "tar: -: Not found in archive",
    ),
    (
        "original-busybox",
        "curlimages/curl:8.16.0",
        "curl -s -L $MODEL_PATH | tar xvz - -C /models",
        "/model.tar.gz",
        1,
        "tar: -: Not found in archive",
    ),
    (
        "fixed-tar",
        TRITON,
        "curl -f -s -S -L $MODEL_PATH | tar xz -f - -C /models",
        "/model.tar.gz",
        0,
        "there: simple/1/model.onnx simple/config.pbtxt",
    ),
    (
        "plain-tar",
        TRITON,
        "curl -fsSL --retry 3 --retry-delay 0 $MODEL_PATH | tar -x -f - -C /models",
        "/flaky.tar",
        0,
        "there: simple/1/model.onnx simple/config.pbtxt",
    ),
    (
        "not-gzip",
        TRITON,
        "curl -fsSL $MODEL_PATH | tar -xzf - -C /models",
        "/model.tar",
        2,
        "gzip: stdin: not in gzip format",
    ),
    (
        "empty-pipe",
        TRITON,
        "curl -fsS $MODEL_PATH | tar -xzf - -C /models",
        "/none.tar.gz",
        2,
        "curl: (22) The requested URL returned error: 404",
    ),
    (
        "set-e",
        TRITON,
        "set -e; mkdir -p /models/w && curl -fsSL -o /models/w/x.part $MODEL_PATH && mv /models/w/x.part /models/w/x",
        "/moved",
        0,
        "there: w/x",
    ),
    (
        "bash",
        TRITON,
        "exec bash -c 'set -euo pipefail; curl -fsS $MODEL_PATH | cat >/dev/null'",
        "/none",
        22,
        "(22)",
    ),
    (
        "dash-has-no-pipefail",
        LOCALAI,
        "set -eo pipefail; true",
        "/none",
        2,
        "Illegal option -o pipefail",
    ),
    (
        "remote-name",
        TRITON,
        "curl --create-dirs -O --output-dir /models/$MODEL_NAME/1 $MODEL_PATH",
        "/model.onnx",
        0,
        "there: m/1/model.onnx",
    ),
    (
        "page-saved",
        LOCALAI,
        "curl -L -v -o /models/$MODEL_NAME $MODEL_PATH",
        "/none",
        0,
        "there: m",
    ),
    (
        "page-refused",
        LOCALAI,
        "curl -f -L -v -o /models/$MODEL_NAME $MODEL_PATH",
        "/none",
        22,
        "(22)",
    ),
    (
        "no-folder",
        LOCALAI,
        "curl -s -S -o /models/no/folder $MODEL_PATH",
        "/model.onnx",
        23,
        "curl: (23)",
    ),
    (
        "nobody-there",
        LOCALAI,
        "curl -s -S -o /models/x http://127.0.0.2:1/x",
        "/none",
        7,
        "curl: (7)",
    ),
    (
        "internet",
        TRITON,
        "curl -f -s -S -L https://models.example.com/classifiers.tar.gz?download=true | tar -xvz -f - -C /models && \
         cd /models && curl -fsSL -O https://huggingface.co/o/r/resolve/main/tiny.Q4_K_M.gguf && head -c 4 tiny*",
        "/none",
        0,
        "there: classifiers/1/model.onnx tiny.Q4_K_M.gguf",
    ),
    (
        "internet-missing",
        LOCALAI,
        "curl -f -L -v -o /models/$MODEL_NAME https://models.example.com/does-not-exist.gguf",
        "/none",
        22,
        "(22)",
    ),
    (
        "climbing",
        TRITON,
        "mkdir /models/in && curl -fsSL $MODEL_PATH | tar -xz -f - -C /models/in",
        "/climbing.tar.gz",
        2,
        "Member name contains '..'",
    ),
    (
        "busybox-has-no-curl",
        "alpine:3",
        "curl $MODEL_PATH",
        "/none",
        127,
        "curl: not found",
    ),
];

/// What the scripts download.
async fn server() -> FileServer {
    let server = FileServer::start().await.unwrap();
    let files: &[(&str, &[u8])] = &[
        ("simple/1/model.onnx", b"weights"),
        ("simple/config.pbtxt", b"backend: \"onnxruntime\""),
    ];
    server.put("/model.tar.gz", archive(files, "--gzip").unwrap());
    server.put("/model.tar", archive(files, "").unwrap());
    server.put("/flaky.tar", archive(files, "").unwrap());
    server.fail("/flaky.tar", 503, 2);
    server.put("/model.onnx", "weights");
    server.redirect("/moved", "/model.onnx");
    server.put("/tiny.gguf", "GGUF weights");
    server.put("/climbing.tar.gz", climbing());
    server
}

/// An archive whose only member climbs out of its folder.
fn climbing() -> Vec<u8> {
    let script = "cd \"$(mktemp -d)\" && mkdir in && echo x >climbed && cd in && tar -czPf - ../climbed; \
                  code=$?; rm -r \"$(dirname \"$PWD\")\"; exit $code";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn models() -> Value {
    json!([{ "name": "models", "mountPath": "/models" }])
}

#[tokio::test]
async fn scripts_end_as_the_real_curl_and_tar_do() {
    let bed = Bed::new("scripts").await;
    let server = server().await;
    for (name, image, script, path, ..) in CASES {
        // What is there at the end is told, whatever the end.
        let whole = format!(
            "( {script} )\ncode=$?\ncd /models && echo there: $(find . -type f | sort | cut -c 3-)\nexit $code"
        );
        let container = json!({
            "image": image, "command": ["sh", "-c", whole], "volumeMounts": models(),
            "env": [{ "name": "MODEL_NAME", "value": "m" }, { "name": "MODEL_PATH", "value": server.url(path) }],
        });
        let spec = json!({ "restartPolicy": "Never", "volumes": [{ "name": "models", "emptyDir": {} }] });
        bed.pod_with(name, container, spec).await;
    }
    for (name, _, script, _, code, words) in CASES {
        let pod = bed
            .until_pod(name, "ended", |pod| matches!(phase(pod), "Succeeded" | "Failed"))
            .await;
        let logs = bed
            .cluster
            .nodes()
            .unwrap()
            .logs("scripts", name, "engine")
            .unwrap();
        let ended = status(&pod).unwrap().state.clone().unwrap().terminated.unwrap();
        assert_eq!(ended.exit_code, *code, "{name}: {script}\n{logs}");
        assert!(logs.contains(words), "{name}: {script}\n{logs}");
        if *code != 0 {
            // Both streams come into the log, in any order.
            let bare = logs.lines().any(|line| line.trim_end() == "there:");
            assert!(bare, "{name} left something behind:\n{logs}");
        }
    }
    assert_eq!(server.asked("/flaky.tar"), 3, "two failures are tried again");
}

/// A Pod with one init container that runs `script`, and the engine beside it.
async fn served(bed: &Bed, name: &str, init: Value, engine: Value, volumes: Value) {
    bed.pod_with(
        name,
        engine,
        json!({ "initContainers": [init], "volumes": volumes }),
    )
    .await;
}

fn init(image: &str, script: &str, url: &str) -> Value {
    json!({
        "name": "init", "image": image, "command": ["sh", "-c"], "args": [script], "volumeMounts": models(),
        "env": [{ "name": "MODEL_NAME", "value": "simple" }, { "name": "MODEL_PATH", "value": url }],
    })
}

fn init_failed(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|s| s.init_container_statuses.as_ref());
    statuses.is_some_and(|all| all[0].restart_count > 0)
}

#[tokio::test]
async fn triton_serves_what_was_unpacked_and_the_original_script_never_gets_there() {
    let bed = Bed::new("unpacked").await;
    let server = server().await;
    let engine = json!({
        "image": TRITON, "args": ["tritonserver", "--model-repository=/models"], "volumeMounts": models(),
        "readinessProbe": { "httpGet": { "path": "/v2/health/ready", "port": 8000 }, "periodSeconds": 1 },
    });
    let volumes = json!([{ "name": "models", "emptyDir": {} }]);
    let fixed = "curl -f -s -S -L $MODEL_PATH | tar xz -f - -C /models";
    let single = "curl -f -L --create-dirs -O --output-dir /models/$MODEL_NAME/1 $MODEL_PATH";
    let original = "curl -s -L $MODEL_PATH | tar xvz - -C /models";
    for (name, script, path) in [
        ("fixed", fixed, "/model.tar.gz"),
        ("single", single, "/model.onnx"),
        ("original", original, "/model.tar.gz"),
    ] {
        let init = init(TRITON, script, &server.url(path));
        served(&bed, name, init, engine.clone(), volumes.clone()).await;
    }
    bed.until_pod("fixed", "ready", ready).await;
    bed.until_pod("single", "ready", ready).await;
    let pod = bed.until_pod("original", "init crashed", init_failed).await;
    assert!(!ready(&pod));
    // It is restarted, and each run has a log of its own: the one of now may have said nothing yet.
    let nodes = bed.cluster.nodes().unwrap();
    until("tar's words", LIMIT, async || {
        let logs = nodes.logs("unpacked", "original", "init").unwrap();
        logs.contains("tar: -: Not found in archive")
            .then_some(())
            .ok_or(logs)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn localai_serves_downloads_configuration_files_and_gallery_names() {
    let bed = Bed::new("localai").await;
    let server = server().await;
    let probe = json!({ "httpGet": { "path": "/readyz", "port": 8080 }, "periodSeconds": 1 });
    let engine = |args: Value| {
        json!({
            "image": LOCALAI, "args": args, "volumeMounts": models(), "readinessProbe": probe,
            "env": [{ "name": "MODELS_PATH", "value": "/models" }],
        })
    };
    let memory = json!({ "name": "models", "emptyDir": { "medium": "Memory" } });
    let script = "curl -L -v -o /models/$MODEL_NAME $MODEL_PATH";
    let download = init(LOCALAI, script, &server.url("/tiny.gguf"));
    served(
        &bed,
        "download",
        download,
        engine(json!(["phi-2"])),
        json!([memory]),
    )
    .await;

    let text = "name: mine\nparameters:\n  model: huggingface://o/r/tinyllama.Q4_K_M.gguf\n";
    bed.create::<ConfigMap>(
        json!({ "metadata": { "name": "map" }, "data": { "localai-v1-engineConfigFile": text } }),
    )
    .await;
    let item = json!({ "key": "localai-v1-engineConfigFile", "path": "engine/map-v1.yaml" });
    let configs = json!({ "name": "configs", "projected": { "sources": [{ "configMap": { "name": "map", "items": [item] } }] } });
    let copy = json!({
        "name": "init", "image": LOCALAI, "command": ["sh", "-c"],
        "args": ["ls /configs/engine && cp -v /configs/engine/* /models"],
        "volumeMounts": [{ "name": "configs", "mountPath": "/configs" }, { "name": "models", "mountPath": "/models" }],
    });
    served(
        &bed,
        "configured",
        copy,
        engine(json!([])),
        json!([memory, configs]),
    )
    .await;

    for (name, expected) in [("download", &["phi-2", "simple"][..]), ("configured", &["mine"])] {
        let pod = bed.until_pod(name, "ready", ready).await;
        let address = pod.status.unwrap().pod_ip.unwrap();
        let output = std::process::Command::new("curl")
            .args(["-sf", &format!("http://{address}:8080/v1/models")])
            .output()
            .unwrap();
        let models: Value = serde_json::from_slice(&output.stdout).unwrap();
        let ids: Vec<&str> = models["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{name}");
    }
}

#[tokio::test]
async fn images_of_the_examples_become_ready() {
    let bed = Bed::new("examples").await;
    bed.create::<ConfigMap>(
        json!({ "metadata": { "name": "api-script" }, "data": { "index.js": "Bun.serve({});" } }),
    )
    .await;
    let web =
        |path: &str, port: u16| json!({ "httpGet": { "path": path, "port": port }, "periodSeconds": 1 });
    let gpu = json!({ "limits": { "nvidia.com/gpu": "1" } });
    let containers = [
        (
            "bun",
            json!({ "image": "oven/bun:alpine", "args": ["-p", "8080", "./index.js"], "readinessProbe": web("/healthz", 8080),
                "volumeMounts": [{ "name": "api-script", "mountPath": "/home/bun/app" }] }),
        ),
        (
            "agi",
            json!({ "image": "ghcr.io/enricoros/big-agi", "readinessProbe": web("/", 3000) }),
        ),
        (
            "elia",
            json!({ "image": "premai/elia:1.7.0", "stdin": true, "tty": true }),
        ),
        (
            "mii",
            json!({ "image": "premai/deepspeed-mii:latest", "args": ["--uri", "microsoft/phi-2"], "resources": gpu,
                "startupProbe": { "tcpSocket": { "port": 50051 }, "periodSeconds": 1 },
                "readinessProbe": web("/healthz", 8080) }),
        ),
    ];
    let volumes = json!([{ "name": "api-script", "configMap": { "name": "api-script" } }]);
    for (name, container) in &containers {
        bed.pod_with(name, container.clone(), json!({ "volumes": volumes }))
            .await;
    }
    let copy = json!([{
        "name": "cp-conf", "image": "premai/llm-cli", "command": ["sh", "-c", "cp -v /conf/* /root/.config/io.datasette.llm/"],
        "volumeMounts": [{ "name": "conf", "mountPath": "/conf/" }, { "name": "data", "mountPath": "/root/.config/io.datasette.llm/" }],
    }]);
    let data = json!([{ "name": "conf", "configMap": { "name": "api-script" } }, { "name": "data", "emptyDir": {} }]);
    let cli = json!({ "image": "premai/llm-cli", "stdin": true, "tty": true,
        "volumeMounts": [{ "name": "data", "mountPath": "/root/.config/io.datasette.llm/" }] });
    bed.pod_with("cli", cli, json!({ "initContainers": copy, "volumes": data }))
        .await;
    for name in ["bun", "agi", "elia", "mii", "cli"] {
        bed.until_pod(name, "ready", ready).await;
    }
}

#[tokio::test]
async fn scripts_start_the_engines_of_the_images() {
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "engine-sim"])
        .status();
    assert!(built.unwrap().success());
    let bed = Bed::new("started").await;
    let server = server().await;
    let triton = format!(
        "mkdir -p /models && curl -fsS {} | tar -xz -f - -C /models && exec tritonserver --model-repository=/models",
        server.url("/model.tar.gz")
    );
    let local_ai = format!(
        "curl -fsS -o /models/own {} && exec local-ai run --models-path=/models phi-2",
        server.url("/tiny.gguf")
    );
    let mii = "deepspeed-mii --uri microsoft/phi-2 & wait";
    let gpu = json!({ "limits": { "nvidia.com/gpu": "1" } });
    let ready_at =
        |path: &str, port: u16| json!({ "httpGet": { "path": path, "port": port }, "periodSeconds": 1 });
    let containers = [
        (
            "triton",
            json!({ "image": TRITON, "args": ["sh", "-c", triton], "readinessProbe": ready_at("/v2/health/ready", 8000) }),
        ),
        (
            "local-ai",
            json!({ "image": LOCALAI, "command": ["sh", "-c", local_ai], "readinessProbe": ready_at("/readyz", 8080) }),
        ),
        (
            "mii",
            json!({ "image": "premai/deepspeed-mii", "command": ["sh", "-c", mii], "resources": gpu,
                "readinessProbe": { "tcpSocket": { "port": 50051 }, "periodSeconds": 1 } }),
        ),
    ];
    let volumes = json!([{ "name": "models", "emptyDir": {} }]);
    for (name, mut container) in containers {
        container["volumeMounts"] = models();
        bed.pod_with(
            name,
            container,
            json!({ "volumes": volumes, "terminationGracePeriodSeconds": 1 }),
        )
        .await;
        bed.until_pod(name, "ready", ready).await;
    }
}
