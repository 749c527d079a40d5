//! Tens of gigabytes are loaded once: a Pod that comes back finds them.

use serde_json::json;

use crate::place::{bed, claim, deploy, engine, logs, mounted_claim, pod, replaced};

/// vLLM downloads onto the claim at its first start and not at its second.
/// Promises: S2-22
#[tokio::test]
async fn vllm_downloads_once() {
    let space = bed().await.space("vllm").await;
    let model = json!({
        "modelName": "qwen", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm",
        "source": {"uri": "hf://Qwen/Qwen2.5-0.5B-Instruct"}, "gpu": {"product": "L4"},
        "resources": {"memory": "16Gi"}, "storage": {"size": "45Gi", "mountPath": "/weights"},
    });
    deploy(&space, "qwen", &model, json!({})).await;
    space.wait_state("qwen", "Ready").await;
    let first = pod(&space, "qwen").await;
    let downloaded = "Time spent downloading weights";
    let text = logs(&space, &first, "engine").await;
    assert!(text.contains(downloaded), "{text}");
    assert_eq!(mounted_claim(&first).as_deref(), Some("qwen"));
    let mounts = engine(&first).volume_mounts.as_ref().unwrap();
    assert!(
        mounts.iter().any(|mount| mount.mount_path == "/weights"),
        "{mounts:?}"
    );

    let second = replaced(&space, "qwen").await;
    let text = logs(&space, &second, "engine").await;
    assert!(!text.contains(downloaded), "{text}");
    assert!(text.contains("Model loading took"), "{text}");
    space.wait_state("qwen", "Ready").await;
}

/// Ollama pulls onto the claim at the first start of a Pod and not at that of its successor.
/// Promises: S2-22
#[tokio::test]
async fn ollama_pulls_once() {
    let space = bed().await.space("ollama").await;
    let model = json!({
        "modelName": "tinyllama", "image": "ollama/ollama:latest", "engine": "ollama",
        "source": {"uri": "ollama://tinyllama"}, "resources": {"memory": "3Gi"}, "storage": {"size": "5Gi"},
    });
    deploy(&space, "tiny", &model, json!({})).await;
    space.wait_state("tiny", "Ready").await;
    let there = "tinyllama is there";
    let first = logs(&space, &pod(&space, "tiny").await, "pull-model").await;
    assert!(!first.contains(there), "{first}");
    let second = logs(&space, &replaced(&space, "tiny").await, "pull-model").await;
    assert!(second.contains(there), "{second}");
    let bound = claim(&space, "tiny").await.status.unwrap().phase;
    assert_eq!(bound.as_deref(), Some("Bound"));
}
