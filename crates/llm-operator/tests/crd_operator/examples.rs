//! `examples/ai`: the documents' YAML, unchanged, and one with overrides.

use serde_json::{Value, json};

use crate::{
    bed,
    common::{repository_file, root},
    kubectl,
};

fn example(name: &str) -> Value {
    serde_saphyr::from_str(&repository_file(&format!("examples/ai/{name}"))).unwrap()
}

/// Promises: S3-3, S3-9, S3-13
#[test]
fn the_documents_yaml_is_here_unchanged() {
    let metadata = json!({"name": "llama-3-70b"});
    assert_eq!(
        example("llm-model.yaml"),
        json!({"apiVersion": "ai.example.com/v1", "kind": "LLMModel", "metadata": metadata,
            "spec": {"replicas": 3, "gpuType": "H100"}})
    );
    assert_eq!(
        example("model-deployment.yaml"),
        json!({"apiVersion": "ai.example.com/v1", "kind": "ModelDeployment", "metadata": metadata,
            "spec": {"model": "llama-3-70b", "replicas": 4, "sla": {"maxLatency": "100ms"}}})
    );
    assert_eq!(
        example("dynamo-graph-deployment.yaml"),
        json!({"apiVersion": "nvidia.com/v1", "kind": "DynamoGraphDeployment", "metadata": metadata, "spec": {
            "sla": {"max_latency_ms": 100, "min_throughput": 50},
            "model": {"name": "llama-3-70b", "placement": {"tensor_parallel_size": 4, "gpu_type": "H100"}},
        }})
    );
}

/// The API server takes every file as it is: nothing in it is unknown, and nothing is added to its spec but defaults.
/// Promises: S3-9, S3-13
#[tokio::test]
async fn the_api_server_takes_them() {
    let bed = bed().await;
    let optional = root().join("config/crd-optional");
    kubectl(&bed.cluster, &["apply", "-f", optional.to_str().unwrap()]).await;
    let space = bed.space("examples").await;
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("examples/ai")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let file = path.to_str().unwrap();
        let args = [
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "-o",
            "json",
            "-f",
            file,
        ];
        let stored = testkit::until("it is taken", crate::common::PATIENCE, async || {
            let (taken, said) = space.kubectl(&args).await;
            if taken { Ok(said) } else { Err(said) }
        })
        .await
        .unwrap();
        let stored: Value = serde_json::from_str(&stored).unwrap();
        let written = example(path.file_name().unwrap().to_str().unwrap());
        assert_eq!(stored["spec"], written["spec"], "{file}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}
