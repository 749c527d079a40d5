//! A model that nobody uses goes, stays away, and comes back for whoever asks: with the real autoscaler of Kubernetes beside it.

use std::time::{Duration, Instant};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
};
use serde_json::{Value, json};
use testkit::{node::Target, plane::audit::Filter};

use crate::{
    bed,
    common::{PATIENCE, Space},
    load::{Clients, Load},
    look::{Scaled, condition, spec},
};

const LLM_MODEL: &str = "llmmodels.ai.example.com";
/// The shortest that is allowed.
const IDLE: Duration = Duration::from_secs(30);
/// Until a model that is idle is gone, on a busy machine: the time, two decisions, and what comes late.
const GOES: Duration = Duration::from_mins(2);
/// Many periods of Kubernetes' autoscaler, which here is a second, and some decisions of ours.
const REST: Duration = Duration::from_secs(40);

fn is_ready(status: &Value) -> bool {
    status["state"] == "Ready"
}

fn is_zero(status: &Value) -> bool {
    status["state"] == "Stopped" && status["replicas"] == 0 && status["scaling"]["desiredReplicas"] == 0
}

/// The smallest model, with a promise and `more`.
fn small(more: &Value) -> String {
    let scaling = json!({"timePerOutputToken": "100ms", "maxReplicas": 4, "idleAfter": "30s"});
    let base = json!({"replicas": 1, "scaling": scaling});
    spec("LLMModel", "chat", crate::common::desk::with(base, more))
}

async fn wake(scaled: &Scaled<'_>, word: &str) {
    let annotation = format!("llm-operator.io/wake={word}");
    let args = ["annotate", scaled.kind, scaled.name, "--overwrite", &annotation];
    let (worked, said) = scaled.space.kubectl(&args).await;
    assert!(worked, "{said}");
}

async fn asked(space: &Space) -> Option<i32> {
    let deployment = space.api::<Deployment>().get("chat").await.unwrap();
    deployment.spec.unwrap().replicas
}

/// What is told of a model at zero, by us and by the autoscaler, which leaves it alone.
async fn told(scaled: &Scaled<'_>, status: &Value) {
    let (ready, active) = (condition(status, "Ready"), condition(status, "ScalingActive"));
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("ScaledToZero")),
        "{status}"
    );
    assert_eq!(
        (&active["status"], &active["reason"]),
        (&json!("True"), &json!("ScaledToZero")),
        "{status}"
    );
    let said = ready["message"].as_str().unwrap();
    assert!(
        said.contains("no request for") && said.contains("llm-operator.io/wake"),
        "{said}"
    );
    let scaling = &status["scaling"];
    assert!(
        scaling["idleSince"].is_string() && scaling["startupTime"].is_string(),
        "{scaling}"
    );
    assert_eq!(
        (&scaling["minReplicas"], &scaling["transport"]),
        (&json!(1), &json!("Metric")),
        "{scaling}"
    );
    let disabled = |one: &HorizontalPodAutoscaler| {
        let conditions = one
            .status
            .iter()
            .filter_map(|status| status.conditions.as_ref())
            .flatten();
        conditions
            .into_iter()
            .any(|one| one.type_ == "ScalingActive" && one.reason.as_deref() == Some("ScalingDisabled"))
    };
    let autoscaler = scaled.space.wait("ScalingDisabled", scaled.name, disabled).await;
    assert_eq!(autoscaler.spec.min_replicas, Some(1));
    let path = format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/llm_operator_desired_replicas",
        scaled.space.namespace
    );
    let (worked, said) = scaled.space.kubectl(&["get", "--raw", &path]).await;
    let list: Value = serde_json::from_str(&said).unwrap();
    // Else it would set its least over whatever somebody sets to wake it.
    assert!(worked && list["items"] == json!([]), "{said}");
}

/// As long as requests come it stays; then it goes, and nothing but somebody who asks brings it back.
/// Promises: S2-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_nobody_uses_goes_and_comes_back() {
    let bed = bed().await;
    let space = bed.space("idle").await;
    space.apply(&small(&json!({}))).await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    let status = scaled.wait("Ready", PATIENCE, is_ready).await;
    // Now and then a short request, much rarer than scrapes.
    let clients = Clients {
        port: 8000,
        model: "qwen2.5-0.5b".to_owned(),
        rate: 0.3,
        prompt: 20,
        answer: 5,
    };
    let load = Load::start(&space, status["selector"].as_str().unwrap(), &clients);
    tokio::time::sleep(IDLE * 2).await;
    assert_eq!(asked(&space).await, Some(1), "it is used");
    let answers = load.end().await;
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.failed.as_ref())
        .collect();
    assert!(
        failed.is_empty() && answers.len() > 5,
        "{failed:?} of {}",
        answers.len()
    );
    let ended = Instant::now();
    let status = scaled.wait("zero", GOES, is_zero).await;
    assert!(ended.elapsed() > IDLE, "{:?}", ended.elapsed());
    println!("zero {:.1?} after the last request", ended.elapsed());
    told(&scaled, &status).await;
    // Later it would count as a write at rest.
    space.wait_event("chat", "ScaledToZero").await;

    let log = bed.cluster.audit_log();
    let mark = log.mark();
    tokio::time::sleep(REST).await;
    assert_eq!(asked(&space).await, Some(0));
    let writes = log.requests_since(&mark, &Filter::default()).unwrap();
    // Pods end meanwhile, and what makes them counts them.
    let counts = |resource: &str| ["deployments", "deployments/scale"].contains(&resource);
    let about: Vec<_> = writes
        .iter()
        .filter(|one| one.is_write() && one.namespace == space.namespace)
        .filter(|one| one.user.ends_with(":llm-operator") || counts(&one.resource))
        .collect();
    assert!(about.is_empty(), "{about:#?}");

    // Edits reach the workload and wake nobody; nor does another floor that is no higher, or a label.
    let edited = small(&json!({"serving": {"contextLength": 4096}}));
    space.apply(&edited).await;
    let rolled = |one: &Deployment| serde_json::to_string(one).unwrap().contains("\"4096\"");
    space.wait("edited", "chat", rolled).await;
    assert!(space.kubectl(&["label", LLM_MODEL, "chat", "a=b"]).await.0);
    tokio::time::sleep(REST / 2).await;
    assert_eq!(asked(&space).await, Some(0), "{}", scaled.status().await);

    wake(&scaled, "1").await;
    let begun = Instant::now();
    let status = scaled.wait("Ready", PATIENCE, is_ready).await;
    println!("serves {:.1?} after it was asked for", begun.elapsed());
    assert_eq!(status["readyReplicas"], 1, "{status}");
    assert!(status["scaling"]["idleSince"].is_null(), "{status}");
    assert_eq!(space.events("chat").await["Waking"].len(), 1);
    let enough = |status: &Value| status["scaling"]["reason"] == "Enough";
    scaled.wait("Enough", PATIENCE, enough).await;

    // It goes again, the same word wakes nobody, and somebody's number does.
    scaled.wait("zero", GOES, is_zero).await;
    wake(&scaled, "1").await;
    tokio::time::sleep(REST / 4).await;
    assert_eq!(asked(&space).await, Some(0));
    assert!(
        space
            .kubectl(&["scale", "deployment", "chat", "--replicas=2"])
            .await
            .0
    );
    let two = |status: &Value| is_ready(status) && status["readyReplicas"] == 2;
    scaled.wait("two serve", PATIENCE, two).await;
}

/// A StatefulSet, and the kinds with words of their own: the same, back by whatever their users have at hand.
/// Promises: S2-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_goes_and_comes_back() {
    let space = bed().await.space("idle-kinds").await;
    let scaling = json!({"timePerOutputToken": "100ms", "maxReplicas": 4, "idleAfter": "30s"});
    let set = json!({"replicas": 1, "maxReplicas": 4, "idleAfter": "30s", "sla": {"maxLatency": "100ms"}});
    space.apply(&spec("ModelDeployment", "set", set)).await;
    let model = json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "model"}, "spec": {
        "modelName": "small", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm", "source": {"uri": "hf://Qwen/Qwen2.5-0.5B-Instruct"},
        "gpu": {"count": 1, "product": "H100"}, "resources": {"cpu": "1", "memory": "8Gi"}}});
    space.apply(&model.to_string()).await;
    let llm = json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": {"name": "llm"},
        "spec": {"modelRef": "model", "replicas": 1, "scaling": scaling}});
    space.apply(&llm.to_string()).await;
    let prem = json!({"apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": "prem"}, "spec": {
        "engine": {"name": "vllm"}, "models": [{"uri": "Qwen/Qwen2.5-0.5B-Instruct"}], "args": ["--max-model-len=4096"],
        "deployment": {"accelerator": {"interface": "CUDA", "minVersion": {"major": 7}},
            "resources": {"limits": {"cpu": "1", "memory": "8Gi", "nvidia.com/gpu": "1"}}}, "scaling": scaling}});
    space.apply(&prem.to_string()).await;
    let kinds = [
        ("modeldeployments.ai.example.com", "set"),
        ("llmdeployments.llm.example.com", "llm"),
        ("aideployments.premlabs.io", "prem"),
    ];
    let all = kinds.map(|(kind, name)| Scaled {
        space: &space,
        kind,
        name,
    });
    for scaled in &all {
        scaled
            .wait("Ready", PATIENCE * 2, |status| status["readyReplicas"] == 1)
            .await;
    }
    for scaled in &all {
        scaled
            .wait("zero", GOES, |status| {
                status["readyReplicas"] == 0 && status["scaling"]["reason"] == "ScaledToZero"
            })
            .await;
    }
    let [set, llm, prem] = &all;
    wake(set, "$(date)").await;
    // The number of the resource itself is the floor; a higher one is somebody's wish.
    assert!(
        space
            .kubectl(&["scale", llm.kind, llm.name, "--replicas=2"])
            .await
            .0
    );
    wake(prem, &"long ".repeat(100)).await;
    set.wait("Ready", PATIENCE, |status| status["readyReplicas"] == 1)
        .await;
    prem.wait("Ready", PATIENCE, |status| status["readyReplicas"] == 1)
        .await;
    llm.wait("Ready", PATIENCE, |status| status["readyReplicas"] == 2)
        .await;
    let ordinals = |one: &StatefulSet| one.status.as_ref().unwrap().ready_replicas == Some(1);
    space.wait("serves", "set", ordinals).await;
}

/// Whatever it may do while nobody sees it, it stays; also when `idleAfter` is taken back at zero it serves again.
#[tokio::test]
async fn nobody_is_put_to_sleep_blindly() {
    let bed = bed().await;
    let space = bed.space("idle-blind").await;
    space.apply(&small(&json!({}))).await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    scaled.wait("Ready", PATIENCE, is_ready).await;
    let (faults, target) = (
        bed.cluster.nodes().unwrap().faults(),
        Target::pods(&space.namespace, "chat"),
    );
    faults.hang(&target);
    scaled.wait_decided("ScrapeFailed", PATIENCE).await;
    tokio::time::sleep(IDLE * 2).await;
    assert_eq!(asked(&space).await, Some(1), "{}", scaled.status().await);
    faults.heal(&target);
    let seen = Instant::now();
    scaled.wait("zero", GOES, is_zero).await;
    assert!(
        seen.elapsed() > IDLE,
        "what was not seen does not count: {:?}",
        seen.elapsed()
    );

    // A floor that is lowered or stays wakes nobody; no time to sleep after does.
    let forever = json!({"scaling": {"timePerOutputToken": "100ms", "maxReplicas": 4}});
    let (worked, said) = space
        .try_apply(&small(&json!({"scaling": {"idleAfter": "1h"}})))
        .await;
    assert!(!worked && said.contains("needs a promise"), "{said}");
    let (worked, said) = space
        .try_apply(&small(
            &json!({"scaling": {"timePerOutputToken": "100ms", "idleAfter": "5s"}}),
        ))
        .await;
    assert!(!worked && said.contains("30s"), "{said}");
    space.apply(&small(&forever)).await;
    scaled.wait("Ready", PATIENCE, is_ready).await;
}
