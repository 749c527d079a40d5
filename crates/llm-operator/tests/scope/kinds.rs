//! One resource of each family that makes Pods, and whether it is served.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Service},
};
use kube::{Api, api::ListParams};
use serde_json::Value;

use crate::common::{
    PATIENCE, Space, repository_file,
    stand::{SMALL_MODEL, small_deployments},
};

/// Resource as kubectl takes it, where its word of state stands, and the word.
pub const SERVED: [(&str, &str, &str); 5] = [
    ("llmdeployments.llm.example.com/chat", "/status/state", "Ready"),
    ("aideployments.premlabs.io/answer", "/status/status", "Ready"),
    (
        "aimodelmaps.premlabs.io/weights",
        "/status/conditions/0/status",
        "True",
    ),
    ("nvidiagpullms.infra.example.com/demo", "/status/phase", "Ready"),
    ("llmmodels.ai.example.com/named", "/status/state", "Ready"),
];

/// Applies one of each.
pub async fn apply(space: &Space) {
    let documents = [
        SMALL_MODEL.to_owned(),
        small_deployments(["chat"]),
        repository_file("examples/prem/generic.yaml"),
        "apiVersion: premlabs.io/v1alpha1
kind: AIModelMap
metadata: {name: weights}
spec:
  vllm:
    - {variant: base, uri: mistralai/Mixtral-8x7B-Instruct-v0.1}
"
        .to_owned(),
        "apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata: {name: demo}
spec: {action: install, llmName: llm}
"
        .to_owned(),
        "apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: named}
spec: {modelName: qwen2.5-0.5b, gpuType: H100}
"
        .to_owned(),
    ];
    space.apply(&documents.join("\n---\n")).await;
}

/// Waits until a resource says `word` at `pointer`.
pub async fn wait_word(space: &Space, resource: &str, pointer: &str, word: &str) {
    testkit::until(format!("{resource} says {word}"), PATIENCE, async || {
        let found = get(space, resource).await;
        (found.pointer(pointer).and_then(Value::as_str) == Some(word))
            .then_some(())
            .ok_or_else(|| found["status"].to_string())
    })
    .await
    .unwrap();
}

/// The resource.
pub async fn get(space: &Space, resource: &str) -> Value {
    let (worked, text) = space.kubectl(&["get", resource, "-o", "json"]).await;
    assert!(worked, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Nobody has looked at anything in this namespace, nor made anything.
pub async fn assert_untouched(space: &Space) {
    for (resource, ..) in SERVED {
        let found = get(space, resource).await;
        assert_eq!(found["status"], Value::Null, "{resource}");
        assert_eq!(found["metadata"]["finalizers"], Value::Null, "{resource}");
    }
    let all = ListParams::default();
    assert!(space.api::<Pod>().list(&all).await.unwrap().items.is_empty());
    assert!(
        space
            .api::<Deployment>()
            .list(&all)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(space.api::<Service>().list(&all).await.unwrap().items.is_empty());
    let maps: Api<ConfigMap> = space.api();
    for map in maps.list(&all).await.unwrap().items {
        let name = map.metadata.name.unwrap_or_default();
        assert!(
            ["kube-root-ca.crt", "answer-script"].contains(&name.as_str()),
            "{name}"
        );
    }
}
