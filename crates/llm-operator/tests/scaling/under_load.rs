//! Load comes, replicas follow, the promise is kept again; load goes, and they go too, without a request that notices.

use std::time::{Duration, Instant};

use k8s_openapi::{api::autoscaling::v2::HorizontalPodAutoscaler, jiff::Timestamp};
use serde_json::json;
use testkit::plane::audit::Filter;

use crate::{
    bed,
    common::Space,
    load::{Clients, Load, attainment},
    look::{Scaled, condition},
};

/// Each token takes 69 ms on two idle L4; this is what is promised under load. A busy machine adds some milliseconds.
const PROMISED: Duration = Duration::from_millis(200);
/// Until a decision is made, carried out, and its replicas serve.
const GROWS: Duration = Duration::from_mins(1);
/// Until fewer replicas were enough for long enough.
const SHRINKS: Duration = Duration::from_mins(3);
/// For so long the promise has to be kept.
const KEPT: Duration = Duration::from_secs(25);
/// What piled up before is worked off in this time.
const SETTLES: Duration = Duration::from_secs(25);

/// Sends more than one replica can answer in time, until it is kept; then nothing.
async fn follows(scaled: &Scaled<'_>, clients: Clients) {
    let name = scaled.name;
    let status = scaled.wait("ready", GROWS, is_ready).await;
    let selector = status["selector"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    let load = Load::start(scaled.space, &selector, &clients);
    scaled.wait_serving(&selector, GROWS, |serving| serving > 1).await;
    let first = begun.elapsed();
    scaled.wait_serving(&selector, GROWS, |serving| serving > 2).await;
    let grown = Instant::now();
    scaled.wait("settled", GROWS * 2, is_settled).await;
    tokio::time::sleep(SETTLES).await;
    let settled = Instant::now();
    let log = bed().await.cluster.audit_log();
    let mark = log.mark();
    let number = |status: &serde_json::Value| status["scaling"]["desiredReplicas"].as_u64().unwrap();
    let before = number(&scaled.status().await);
    tokio::time::sleep(KEPT).await;

    let status = scaled.status().await;
    let serving = scaled.serving(&selector).await;
    told(scaled, &status, serving.len()).await;
    let written = log.requests_since(&mark, &Filter::user("llm-operator")).unwrap();
    let told_again = written
        .iter()
        .filter(|one| one.resource.ends_with("/status") && one.namespace == scaled.space.namespace)
        .count();
    // Another number is told at once, and so is what becomes of each replica that comes or goes with it, of the last one from before
    // too; all else at most once a minute. Every look, twelve times a minute, would be five.
    let (after, changes) = (number(&status), number(&status).abs_diff(before));
    assert!(
        told_again <= 3 + 3 * usize::try_from(changes).unwrap(),
        "{name}: its status was written {told_again} times in {KEPT:?} of steady load, from {before} to {after} replicas"
    );
    let ended = Instant::now();
    let answers = load.end().await;
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.failed.as_ref())
        .collect();
    assert!(
        failed.is_empty(),
        "{name}: {} of {}: {failed:?}",
        failed.len(),
        answers.len()
    );
    let (before, slow_before) = attainment(&answers, (begun, begun + first), PROMISED);
    let (after, slow_after) = attainment(&answers, (settled, ended), PROMISED);
    println!(
        "{name}: second replica after {first:.1?}, third after {:.1?}, {} in the end; before {:.1} % within {PROMISED:?}, p95 {slow_before:.0?}; \
         after {:.1} %, p95 {slow_after:.0?}; {} requests; {}",
        grown - begun,
        serving.len(),
        before * 100.0,
        after * 100.0,
        answers.len(),
        status["scaling"]
    );
    assert!(before < 0.5, "{name}: one replica was enough for {before}");
    assert!(
        after > 0.95,
        "{name}: {after} within {PROMISED:?}, p95 {slow_after:?}"
    );

    // A trickle is under way all the time, so that a replica that goes would cut something.
    let trickle = Clients {
        rate: 0.7,
        answer: 100,
        ..clients
    };
    let load = Load::start(scaled.space, &selector, &trickle);
    let shrinking = Instant::now();
    scaled
        .wait_serving(&selector, SHRINKS, |serving| serving == 1)
        .await;
    println!(
        "{name}: one replica {:.1?} after the load went",
        shrinking.elapsed()
    );
    let answers = load.end().await;
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.failed.as_ref())
        .collect();
    assert!(
        failed.is_empty(),
        "{name}: {} of {}: {failed:?}",
        failed.len(),
        answers.len()
    );
}

/// What the status and the autoscaler say while load is followed.
async fn told(scaled: &Scaled<'_>, status: &serde_json::Value, serving: usize) {
    let scaling = &status["scaling"];
    let desired = scaling["desiredReplicas"].as_i64().unwrap();
    assert!(desired > 2, "{scaling}");
    assert_eq!(scaling["transport"], "Metric");
    for part in [
        "arrivals",
        "readyFor",
        "replicaCapacity",
        "timePerOutputToken",
        "startupTime",
        "limitedBy",
    ] {
        assert!(scaling[part].is_string(), "{part}: {scaling}");
    }
    assert_eq!(
        condition(status, "LatencyObservable")["status"],
        "True",
        "{status}"
    );
    let active = condition(status, "ScalingActive");
    assert_eq!(active["status"], "True", "{active}");
    // By the rate, or by what crowded into the first replica: the sentence is that of the last other number.
    let said = active["message"].as_str().unwrap();
    let why = ["requests/s arrive", "requests are inside"];
    assert!(why.iter().any(|words| said.contains(words)), "{active}");
    // A number that was decided just now reaches the autoscaler by its next look.
    testkit::until("the autoscaler asks for what is decided", GROWS, async || {
        let autoscaler: HorizontalPodAutoscaler = scaled.autoscaler().await.unwrap();
        let asked = i64::from(autoscaler.status.unwrap().desired_replicas);
        let scaling = scaled.status().await["scaling"].take();
        if scaling["desiredReplicas"].as_i64() == Some(asked) {
            Ok(())
        } else {
            Err(format!("{asked}: {scaling}"))
        }
    })
    .await
    .unwrap();
    assert!(serving >= 3, "{serving} serve");
    let (worked, row) = scaled.space.kubectl(&["get", "hpa", scaled.name]).await;
    assert!(worked && row.contains("1 (avg)"), "{row}");
}

/// What makes one replica scale: the smallest model that is slow enough on slow GPUs.
fn spec(promise: (&str, serde_json::Value), model: &str) -> serde_json::Value {
    let (field, promise) = promise;
    json!({model: "qwen2.5-14b", "gpuType": "L4", "replicas": 1, field: promise,
        "serving": {"gpus": 2, "contextLength": 8192}})
}

/// A Deployment, whose Pods to go are chosen by cost.
/// Promises: S2-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_by_name_keeps_its_promise_under_load() {
    let space = bed().await.space("load").await;
    let promise = json!({"timePerOutputToken": "200ms", "maxReplicas": 8});
    apply(
        &space,
        "ai.example.com/v1",
        "LLMModel",
        spec(("scaling", promise), "modelName"),
    )
    .await;
    let scaled = Scaled {
        space: &space,
        kind: "llmmodels.ai.example.com",
        name: "chat",
    };
    follows(&scaled, clients("qwen2.5-14b")).await;
}

/// A StatefulSet, of which the highest number goes.
/// Promises: S2-21, S3-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_deployment_keeps_its_promise_under_load() {
    let space = bed().await.space("load-set").await;
    let mut spec = spec(("sla", json!({"maxLatency": "200ms"})), "model");
    spec["maxReplicas"] = json!(8);
    apply(&space, "ai.example.com/v1", "ModelDeployment", spec).await;
    let scaled = Scaled {
        space: &space,
        kind: "modeldeployments.ai.example.com",
        name: "chat",
    };
    follows(&scaled, clients("qwen2.5-14b")).await;
    assert_eq!(scaled.serving("llm-operator.io/name=chat").await, ["chat-0"]);
}

/// More replicas come under load.
async fn grows(scaled: &Scaled<'_>, model: &str) {
    let status = scaled.wait("ready", GROWS, is_ready).await;
    let selector = status["selector"].as_str().unwrap().to_owned();
    let (begun, load) = (
        Instant::now(),
        Load::start(scaled.space, &selector, &clients(model)),
    );
    scaled.wait_serving(&selector, GROWS, |serving| serving > 1).await;
    println!("{}: second replica after {:.1?}", scaled.kind, begun.elapsed());
    let answers = load.end().await;
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.failed.as_ref())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:?}",
        failed.len(),
        answers.len()
    );
}

/// Promises: S2-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_llm_deployment_follows_load() {
    let space = bed().await.space("load-llm").await;
    let model = json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "model"}, "spec": {
        "modelName": "qwen2.5-14b", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm",
        "source": {"uri": "hf://Qwen/Qwen2.5-14B-Instruct"}, "gpu": {"count": 2, "product": "L4"},
        "resources": {"cpu": "2", "memory": "16Gi"}, "args": ["--max-model-len", "8192"]}});
    space.apply(&model.to_string()).await;
    let spec = json!({"modelRef": "model", "replicas": 1, "port": 8000,
        "scaling": {"timePerOutputToken": "200ms", "maxReplicas": 4}});
    apply(&space, "llm.example.com/v1alpha1", "LLMDeployment", spec).await;
    let scaled = Scaled {
        space: &space,
        kind: "llmdeployments.llm.example.com",
        name: "chat",
    };
    grows(&scaled, "qwen2.5-14b").await;
}

/// Promises: S2-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ai_deployment_follows_load() {
    let space = bed().await.space("load-prem").await;
    let spec = json!({"engine": {"name": "vllm"}, "models": [{"uri": "Qwen/Qwen2.5-7B-Instruct"}],
        "args": ["--max-model-len=4096"],
        "deployment": {"replicas": 1, "accelerator": {"interface": "CUDA", "minVersion": {"major": 7}},
            "resources": {"limits": {"cpu": "2", "memory": "16Gi", "nvidia.com/gpu": "1"}},
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}},
        "scaling": {"timePerOutputToken": "200ms", "maxReplicas": 4}});
    apply(&space, "premlabs.io/v1alpha1", "AIDeployment", spec).await;
    let scaled = Scaled {
        space: &space,
        kind: "aideployments.premlabs.io",
        name: "chat",
    };
    grows(&scaled, "Qwen/Qwen2.5-7B-Instruct").await;
}

async fn apply(space: &Space, version: &str, kind: &str, spec: serde_json::Value) {
    let resource = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "chat"}, "spec": spec});
    space.apply(&resource.to_string()).await;
}

/// No other number for longer than two decisions take, and all of them serve.
fn is_settled(status: &serde_json::Value) -> bool {
    let decided: Timestamp = status["scaling"]["decidedAt"].as_str().unwrap().parse().unwrap();
    let since = Timestamp::now().duration_since(decided).as_secs();
    since > 35 && status["readyReplicas"] == status["scaling"]["desiredReplicas"]
}

fn is_ready(status: &serde_json::Value) -> bool {
    status["state"] == "Ready"
}

fn clients(model: &str) -> Clients {
    Clients {
        port: 8000,
        model: model.to_owned(),
        rate: 10.0,
        prompt: 300,
        answer: 60,
    }
}
