//! What an `LLMModel` may say, by the words with which the rest is refused.

use serde_json::json;

use crate::desk::{all_refused, model, wrong};

/// CPU and memory are quantities of zero or more, or nothing.
/// Promises: S2-4, S2-5
#[tokio::test]
async fn quantities() {
    let words = "must be a quantity of zero or more";
    let mut table = Vec::new();
    for bad in ["-1", "two", "4 Gi", "4GB", "0x10", "", "1e999", "1..5", "4Gi\n"] {
        table.push(wrong(
            json!({"resources": {"cpu": bad}}),
            "spec.resources.cpu",
            words,
        ));
        table.push(wrong(
            json!({"resources": {"memory": bad}}),
            "spec.resources.memory",
            words,
        ));
        table.push(wrong(
            json!({"storage": {"size": bad}}),
            "spec.storage.size",
            words,
        ));
        table.push(wrong(
            json!({"gpu": {"minMemory": bad}}),
            "spec.gpu.minMemory",
            words,
        ));
    }
    table.push(wrong(
        json!({"resources": {"memory": -4}}),
        "spec.resources.memory",
        words,
    ));
    table.push(wrong(
        json!({"resources": {"cpu": 1.5}}),
        "spec.resources.cpu",
        "must be of type",
    ));
    table.push(wrong(
        json!({"resources": {"cpu": true}}),
        "spec.resources.cpu",
        "must be of type",
    ));
    all_refused("LLMModel", model, table).await;
}

/// GPUs are counted, and named as nodes name them.
#[tokio::test]
async fn gpus() {
    let gpu = |more| json!({ "gpu": more });
    all_refused(
        "LLMModel",
        model,
        vec![
            wrong(
                gpu(json!({"count": 0})),
                "spec.gpu.count",
                "greater than or equal to 1",
            ),
            wrong(
                gpu(json!({"count": 65})),
                "spec.gpu.count",
                "less than or equal to 64",
            ),
            wrong(
                gpu(json!({"resourceName": "gpu"})),
                "spec.gpu.resourceName",
                "such as nvidia.com/gpu",
            ),
            wrong(
                gpu(json!({"product": "H 100"})),
                "spec.gpu.product",
                "GPU family such as H100",
            ),
            wrong(
                gpu(json!({"resourceName": "amd.com/gpu", "minMemory": "80Gi"})),
                "spec.gpu",
                "use the deployment's nodeSelector",
            ),
        ],
    )
    .await;
}

/// A source says by its scheme where the weights are; a malformed one is refused with all that there are.
#[tokio::test]
async fn sources() {
    let words = "uri must be one of hf://org/name[@revision]";
    let mut table: Vec<_> = [
        "llama-3-8b",
        "ftp://host/file",
        "hf://-org/name",
        "hf://a/b/c",
        "hf://a/b@",
        "pvc://Weights",
        "s3://B",
        "oci:// x",
        "https:// host/file",
        "https://host/a b",
        "ollama://--x",
    ]
    .map(|uri| wrong(json!({"source": {"uri": uri}}), "spec.source.uri", words))
    .into();
    table.extend([
        wrong(json!({"source": {}}), "spec.source.uri", "Required value"),
        wrong(
            json!({"source": {"uri": "pvc://weights", "credentialsSecret": "s"}}),
            "spec.source",
            "credentialsSecret has no use",
        ),
        wrong(
            json!({"source": {"uri": "ollama://llama3"}}),
            "spec",
            "an ollama:// source needs engine: ollama",
        ),
        wrong(
            json!({"engine": "ollama", "source": {"uri": "s3://bucket/x"}}),
            "spec",
            "engine ollama loads from",
        ),
        wrong(
            json!({"source": {"uri": "pvc://weights"}, "storage": {"size": "1Gi"}}),
            "spec",
            "remove storage",
        ),
        wrong(
            json!({"source": {"uri": "oci://a/b:v1"}, "storage": {"size": "1Gi"}}),
            "spec",
            "remove storage",
        ),
    ]);
    all_refused("LLMModel", model, table).await;
}

/// Storage is a new claim or an existing one, never both and never neither.
#[tokio::test]
async fn storage() {
    let storage = |more| json!({ "storage": more });
    all_refused(
        "LLMModel",
        model,
        vec![
            wrong(
                storage(json!({})),
                "spec.storage",
                "exactly one of size (a new claim per deployment) and existingClaim",
            ),
            wrong(
                storage(json!({"size": "1Gi", "existingClaim": "weights"})),
                "spec.storage",
                "exactly one of size",
            ),
            wrong(
                storage(json!({"existingClaim": "weights", "storageClassName": "fast"})),
                "spec.storage",
                "describe a new claim",
            ),
            wrong(
                storage(json!({"existingClaim": "weights", "accessMode": "ReadWriteMany"})),
                "spec.storage",
                "describe a new claim",
            ),
            wrong(
                storage(json!({"size": "1Gi", "accessMode": "ReadWrite"})),
                "spec.storage.accessMode",
                "supported values",
            ),
            wrong(
                storage(json!({"size": "1Gi", "mountPath": "models"})),
                "spec.storage.mountPath",
                "must be an absolute path",
            ),
            wrong(
                storage(json!({"size": "1Gi", "mountPath": "/a:b"})),
                "spec.storage.mountPath",
                "without a colon",
            ),
        ],
    )
    .await;
}

/// Ports, words of a choice, and lists that have an end.
#[tokio::test]
async fn ports_choices_and_lengths() {
    let many: Vec<_> = (0..129).map(|n| json!({"name": format!("V{n}")})).collect();
    let long = "x".repeat(1025);
    all_refused(
        "LLMModel",
        model,
        vec![
            wrong(json!({"port": 0}), "spec.port", "greater than or equal to 1"),
            wrong(json!({"port": 65536}), "spec.port", "less than or equal to 65535"),
            wrong(
                json!({"engine": "tgi"}),
                "spec.engine",
                "\"generic\", \"vllm\", \"ollama\"",
            ),
            wrong(
                json!({"imagePullPolicy": "Sometimes"}),
                "spec.imagePullPolicy",
                "\"IfNotPresent\"",
            ),
            wrong(json!({"env": many}), "spec.env", "at most 128 items"),
            wrong(
                json!({"env": [{"value": "x"}]}),
                "spec.env[0].name",
                "Required value",
            ),
            wrong(json!({"image": long}), "spec.image", "Too long"),
            wrong(json!({"args": "--x"}), "spec.args", "must be of type array"),
        ],
    )
    .await;
}
