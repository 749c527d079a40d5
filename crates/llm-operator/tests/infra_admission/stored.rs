//! What is filled in, where a person sees it.

use api::infra_example_com::v1::NvidiaGpuLlm;
use serde_json::json;

use crate::desk::{apply, client, create, delete, install, kubectl, with};

/// Every default of the document stands in the stored object, and nothing else is added.
/// Promises: S0-9, S0-13, S0-15, S0-18
#[tokio::test]
async fn every_default_is_visible() {
    let client = client().await;
    let stored = apply(&client, "defaults", &install(&json!({}))).await.unwrap();
    let expected = json!({
        "action": "install",
        "llmName": "gpu-llm-pod",
        "model": "tinyllama",
        "gpuCount": 1,
        "memory": "4Gi",
        "cpuCores": 2,
        "serviceEnabled": false,
        "servicePort": 11434,
        "persistentStorage": false,
        "storageSize": "10Gi",
        "keepAlive": true,
    });
    assert_eq!(stored.data["spec"], expected);
    let yaml = kubectl(&["get", "gpullm", "defaults", "-o", "yaml"]).await;
    for line in [
        "model: tinyllama",
        "gpuCount: 1",
        "memory: 4Gi",
        "keepAlive: true",
    ] {
        assert!(yaml.contains(line), "{line}: {yaml}");
    }
    // The type has the same defaults: `render` reads files that no API server has seen.
    let typed: NvidiaGpuLlm = stored.clone().try_parse().unwrap();
    let bare: NvidiaGpuLlm = serde_json::from_value(json!({
        "apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm", "metadata": {"name": "defaults"},
        "spec": install(&json!({})),
    }))
    .unwrap();
    assert_eq!(typed.spec, bare.spec);
    delete(&client, "defaults").await;
}

/// What is said is kept, all of it.
#[tokio::test]
async fn every_field_is_kept() {
    let client = client().await;
    let spec = json!({
        "action": "install",
        "llmName": "all",
        "model": "mistral:7b",
        "gpuCount": 0,
        "memory": 8_589_934_592_u64,
        "cpuCores": "500m",
        "serviceEnabled": true,
        "servicePort": 80,
        "prompts": ["One?", "Two,\nwith a second line and \u{fc}mlauts."],
        "persistentStorage": true,
        "storageSize": "20Gi",
        "storageClassName": "fast",
        "keepAlive": false,
        "image": "registry.example.com/ollama:0.17.4",
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"gpu": "h100"},
        "tolerations": [{"key": "team", "operator": "Exists"}],
        "runtimeClassName": "nvidia",
        "access": {"from": [{"podSelector": {"matchLabels": {"app": "chat"}}}]},
    });
    let stored = create(&client, "all", &spec).await.unwrap();
    assert_eq!(stored.data["spec"], spec);
    let typed: NvidiaGpuLlm = stored.try_parse().unwrap();
    // A quantity becomes a string when it is read.
    let read = with(spec, &json!({"memory": "8589934592"}));
    assert_eq!(serde_json::to_value(&typed.spec).unwrap(), read);
}
