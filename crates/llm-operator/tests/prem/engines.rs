//! Each engine becomes ready and is as the table of engines says.

use serde_json::json;

use crate::{
    common::{bed, repository_file},
    seen::{service, serving, wait_word},
};

/// Promises: S4-11, S4-13, S4-15, S4-16
#[tokio::test]
async fn vllm() {
    let space = bed().await.space("vllm").await;
    let yaml = repository_file("examples/prem/vllm.yaml")
        .replace("namespace: vllm", &format!("namespace: {}", space.namespace));
    space.apply(&yaml).await;
    let status = wait_word(&space, "mistral", "Ready").await;
    assert_eq!(status.err_msg, None);
    let container = serving(&space, "mistral").await;
    assert_eq!(container.image.as_deref(), Some("vllm/vllm-openai:latest"));
    let ports = service(&space, "mistral").await.spec.unwrap().ports;
    assert_eq!(
        json!(ports),
        json!([{"port": 8000, "targetPort": 8000, "protocol": "TCP"}])
    );
}

/// Promises: S4-20
#[tokio::test]
async fn generic_ollama() {
    let space = bed().await.space("ollama").await;
    let yaml = repository_file("examples/prem/generic-ollama.yaml")
        .replace("namespace: default", &format!("namespace: {}", space.namespace));
    space.apply(&yaml).await;
    let name = "ollama";
    wait_word(&space, name, "Ready").await;
    let ports = service(&space, name).await.spec.unwrap().ports;
    assert_eq!(
        json!(ports),
        json!([{"port": 11434, "targetPort": 11434, "protocol": "TCP"}])
    );
}
