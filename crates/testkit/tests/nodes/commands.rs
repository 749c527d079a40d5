//! Commands of real shells: Jobs, init containers, sidecars, engines started by scripts.

use serde_json::json;

use crate::bed::{Bed, phase, ready, status};

#[tokio::test]
async fn jobs_end_and_shells_run_for_real() {
    let bed = Bed::new("shells").await;
    let script =
        "echo to $GREETED; echo kept > /data/file; cat /data/file; echo why > /dev/termination-log; exit 4";
    bed.pod_with(
        "script",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", script],
            "env": [{ "name": "GREETED", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
        }),
        json!({ "restartPolicy": "Never", "volumes": [{ "name": "data", "emptyDir": {} }] }),
    )
    .await;
    let pod = bed
        .until_pod("script", "failed", |pod| phase(pod) == "Failed")
        .await;
    let ended = status(&pod).unwrap().state.clone().unwrap().terminated.unwrap();
    assert_eq!((ended.exit_code, ended.message.as_deref()), (4, Some("why\n")));
    let logs = bed
        .cluster
        .kubectl(&["logs", "-n", "shells", "script"])
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&logs.stdout), "to script\nkept\n");

    let copy = json!([{
        "name": "fetch", "image": "busybox:1", "command": ["sh", "-c", "echo $(cat /in/key) > /out/key"],
        "volumeMounts": [{ "name": "in", "mountPath": "/in" }, { "name": "out", "mountPath": "/out" }],
    }]);
    bed.create::<k8s_openapi::api::core::v1::ConfigMap>(
        json!({ "metadata": { "name": "in" }, "data": { "key": "value" } }),
    )
    .await;
    bed.pod_with(
        "initialised",
        json!({
            "image": "busybox:1", "command": ["sh"], "args": ["-c", "grep -q value /out/key"],
            "volumeMounts": [{ "name": "out", "mountPath": "/out" }],
        }),
        json!({
            "restartPolicy": "Never", "initContainers": copy,
            "volumes": [{ "name": "in", "configMap": { "name": "in" } }, { "name": "out", "emptyDir": {} }],
        }),
    )
    .await;
    bed.until_pod("initialised", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
}

#[tokio::test]
async fn sidecars_run_beside_and_end_after_the_main_container() {
    let bed = Bed::new("sidecars").await;
    let sidecar = json!([{
        "name": "proxy", "image": "your-registry/gpt-small:v1", "restartPolicy": "Always",
        "env": [{ "name": "PORT", "value": "9000" }],
        "startupProbe": { "tcpSocket": { "port": 9000 }, "periodSeconds": 1 },
    }]);
    bed.pod_with(
        "job",
        json!({ "image": "busybox:1", "command": ["sh", "-c", "echo done"] }),
        json!({ "restartPolicy": "Never", "initContainers": sidecar, "terminationGracePeriodSeconds": 5 }),
    )
    .await;
    let pod = bed
        .until_pod("job", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    let proxy = &pod.status.unwrap().init_container_statuses.unwrap()[0];
    assert!(proxy.state.as_ref().unwrap().terminated.is_some(), "{proxy:?}");
}

#[tokio::test]
async fn a_script_starts_and_asks_a_simulated_ollama() {
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "engine-sim"])
        .status();
    assert!(built.unwrap().success());
    let bed = Bed::new("ollama").await;
    let script = "ollama serve & until ollama list >/dev/null 2>&1; do sleep 0.1; done; \
                  ollama pull tinyllama && ollama list && ls $OLLAMA_MODELS && exit 0";
    bed.pod_with(
        "preload",
        json!({
            "image": "ollama/ollama:0.20.0", "command": ["/bin/sh", "-c", script],
            "env": [{ "name": "OLLAMA_MODELS", "value": "/weights/models" }],
            "volumeMounts": [{ "name": "weights", "mountPath": "/weights" }],
        }),
        json!({ "restartPolicy": "Never", "volumes": [{ "name": "weights", "emptyDir": {} }] }),
    )
    .await;
    let pod = bed
        .until_pod("preload", "ended", |pod| {
            matches!(phase(pod), "Succeeded" | "Failed")
        })
        .await;
    let logs = bed
        .cluster
        .nodes()
        .unwrap()
        .logs("ollama", "preload", "engine")
        .unwrap();
    assert_eq!(phase(&pod), "Succeeded", "{logs}");
    assert!(
        logs.contains("tinyllama:latest") && logs.contains("manifests"),
        "{logs}"
    );
}

#[tokio::test]
async fn ollama_and_vllm_serve_from_their_images() {
    let bed = Bed::new("engines").await;
    bed.pod(
        "ollama",
        json!({
            "image": "ollama/ollama:0.20.0",
            "readinessProbe": { "httpGet": { "path": "/", "port": 11434 }, "periodSeconds": 1 },
        }),
    )
    .await;
    bed.until_pod("ollama", "ready", ready).await;
    bed.pod(
        "vllm",
        json!({
            "image": "vllm/vllm-openai:v0.33.0",
            "args": ["meta-llama/Llama-3.1-8B-Instruct"],
            "env": [{ "name": "HF_TOKEN", "value": "hf_x" }],
            "resources": { "limits": { "nvidia.com/gpu": "1" } },
            "readinessProbe": { "httpGet": { "path": "/health", "port": 8000 }, "periodSeconds": 1 },
        }),
    )
    .await;
    bed.until_pod("vllm", "ready", ready).await;
    bed.pod(
        "bare",
        json!({ "image": "vllm/vllm-openai:v0.33.0", "args": ["--no-such-flag"] }),
    )
    .await;
    let pod = bed
        .until_pod("bare", "crashed", |pod| {
            status(pod).is_some_and(|s| s.restart_count > 0)
        })
        .await;
    let logs = bed
        .cluster
        .kubectl(&["logs", "-n", "engines", "bare"])
        .await
        .unwrap();
    assert!(
        String::from_utf8_lossy(&logs.stdout).contains("no-such-flag"),
        "{pod:?} {logs:?}"
    );
}

#[tokio::test]
async fn logs_are_followed_to_the_end_and_cut_as_asked() {
    let bed = Bed::new("logs").await;
    let script = "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done";
    bed.pod_with(
        "talker",
        json!({ "image": "busybox:1", "command": ["sh", "-c", script] }),
        json!({ "restartPolicy": "Never" }),
    )
    .await;
    bed.until_pod("talker", "running", |pod| phase(pod) == "Running")
        .await;
    let follow = ["logs", "-n", "logs", "talker", "-f"];
    let output = bed.cluster.kubectl(&follow).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "line 1\nline 2\nline 3\nline 4\nline 5\n"
    );
    let tail = ["logs", "-n", "logs", "talker", "--tail=1", "--timestamps"];
    let output = bed.cluster.kubectl(&tail).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (time, line) = text.split_once(' ').unwrap();
    assert!(
        time.parse::<jiff::Timestamp>().is_ok() && line == "line 5\n",
        "{text}"
    );
}
