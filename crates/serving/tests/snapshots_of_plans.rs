//! Whole sets of objects, as reviewed.
#![allow(clippy::unwrap_used)] // helpers of a test

mod common;

use std::time::Duration;

use api::shared::{AccessMode, Engine};
use common::{deployment, document_example, gpu, new_claim, plan, request};
use k8s_openapi::{api::networking::v1::NetworkPolicyPeer, apimachinery::pkg::apis::meta::v1::LabelSelector};
use serde_json::{Value, json};
use serving::{
    Children, build,
    plan::{Promise, ScalingPlan},
    request::{
        Access, BudgetRequest, ServiceKind, ServingRequest, Settings, StrategyRequest, WorkloadRequest,
    },
};

fn front_end() -> NetworkPolicyPeer {
    let labels = [("app".to_owned(), "front-end".to_owned())].into();
    let selector = LabelSelector {
        match_labels: Some(labels),
        match_expressions: None,
    };
    NetworkPolicyPeer {
        pod_selector: Some(selector),
        ..NetworkPolicyPeer::default()
    }
}

fn objects(request: ServingRequest) -> Vec<Value> {
    let Children {
        claim,
        config_map,
        network_policy,
        service,
        ingress,
        disruption_budget,
        deployment,
        deployment_as_found: _,
        headless_service,
        stateful_set,
        pod,
        autoscaler,
    } = build(&plan(request));
    [
        json!(claim),
        json!(config_map),
        json!(network_policy),
        json!(service),
        json!(ingress),
        json!(disruption_budget),
        json!(deployment),
        json!(headless_service),
        json!(stateful_set),
        json!(pod),
        json!(autoscaler),
    ]
    .into_iter()
    .filter(|object| !object.is_null())
    .collect()
}

#[test]
fn document_example_s2_9_s2_10() {
    insta::assert_yaml_snapshot!(objects(document_example()));
}

#[test]
fn vllm_on_four_a100_with_weights_on_a_claim() {
    let mut request = request(Engine::Vllm, "vllm/vllm-openai:v0.33.0");
    request.model.source = Some("hf://meta-llama/Llama-3.1-70B-Instruct@main".parse().unwrap());
    request.model.credentials_secret = Some("hub".into());
    request.container.cpu = Some("8".parse().unwrap());
    request.container.memory = Some("64Gi".parse().unwrap());
    request.container.args = vec!["--max-model-len".into(), "32768".into()];
    request.gpu = gpu(4, Some("A100"), Some("80Gi"));
    request.storage = new_claim("200Gi", AccessMode::ReadWriteOnce);
    insta::assert_yaml_snapshot!(objects(request));
}

#[test]
fn ollama_on_a_claim() {
    let mut request = request(Engine::Ollama, "ollama/ollama:0.12.0");
    request.model.source = Some("ollama://llama3.1:8b".parse().unwrap());
    request.container.memory = Some("8Gi".parse().unwrap());
    request.storage = new_claim("20Gi", AccessMode::ReadWriteMany);
    request.workload = deployment(3, StrategyRequest::Automatic);
    insta::assert_yaml_snapshot!(objects(request));
}

#[test]
fn ollama_in_one_pod_that_ends() {
    let mut request = request(Engine::Ollama, "ollama/ollama:0.17.4");
    request.name = Some("gpu-llm-pod".into());
    request.model.name = "llama2:7b".into();
    request.container.name = Some("ollama");
    request.container.port = Some(11434);
    request.gpu = gpu(1, None, None);
    request.storage = new_claim("20Gi", AccessMode::ReadWriteOnce);
    request.workload = WorkloadRequest::Pod { ends: true };
    request.service.made = false;
    request.budget = BudgetRequest::Disabled;
    insta::assert_yaml_snapshot!(objects(request));
}

#[test]
fn generic_with_a_file_over_http() {
    let mut request = request(Engine::Generic, "registry.example/llama-cpp:v1");
    request.model.source = Some("https://models.example/gguf/tiny.gguf".parse().unwrap());
    request.model.credentials_secret = Some("download".into());
    request.container.port = Some(9000);
    request.service.kind = ServiceKind::NodePort;
    request.access = Access::From {
        peers: vec![front_end()],
        operator_namespace: "llm-system".into(),
    };
    insta::assert_yaml_snapshot!(objects(request));
}

/// What a ModelDeployment becomes: names that stay, a claim for each Pod, settings in a file, an autoscaler.
#[test]
fn vllm_in_a_stateful_set_with_a_promise() {
    let mut request = request(Engine::Vllm, "vllm/vllm-openai:v0.33.0");
    request.model.source = Some("hf://Qwen/Qwen3-8B".parse().unwrap());
    request.container.engine_args = vec!["--max-model-len".into(), "8192".into()];
    request.container.args = vec!["--enforce-eager".into()];
    request.gpu = gpu(2, Some("H100"), None);
    request.storage = new_claim("40Gi", AccessMode::ReadWriteOnce);
    request.workload = WorkloadRequest::StatefulSet { replicas: 2 };
    request.settings = Settings::File;
    request.scaling = Some(ScalingPlan::new(2, Some(6), "maxReplicas", promise()).unwrap());
    insta::assert_yaml_snapshot!(objects(request));
}

fn promise() -> Promise {
    Promise {
        time_to_first_token: None,
        time_per_output_token: Some(Duration::from_millis(100)),
        output_tokens_per_second: None,
        attainment_ppm: 990_000,
    }
}
