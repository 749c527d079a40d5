//! What every kind refuses of the fields that it has for itself.

use serde_json::{Value, json};

use crate::{
    common::desk::wrong,
    desk::{KINDS, all_accepted, all_refused, all_refused_as_they_are},
};

/// Types, bounds and unknown fields are checked by the API server, each named.
/// Promises: S3-2
#[tokio::test]
async fn of_models() {
    all_refused(
        "LLMModel",
        vec![
            wrong(
                json!({"modelName": 5}),
                "spec.modelName",
                "must be of type string",
            ),
            wrong(
                json!({"modelName": ""}),
                "spec.modelName",
                "at least 1 chars long",
            ),
            wrong(
                json!({"replicas": "3"}),
                "spec.replicas",
                "must be of type integer",
            ),
            wrong(
                json!({"replicas": -1}),
                "spec.replicas",
                "greater than or equal to 0",
            ),
            wrong(json!({"replicas": 1.5}), "spec.replicas", "must be of type int"),
            wrong(json!({"gpuType": ""}), "spec.gpuType", "at least 1 chars long"),
            wrong(json!({"gpuType": "H 100"}), "spec.gpuType", "family such as H100"),
            wrong(
                json!({"gpuType": ["H100"]}),
                "spec.gpuType",
                "must be of type string",
            ),
            wrong(json!({"gpuType": "-H100"}), "spec.gpuType", "family such as H100"),
            wrong(json!({"model": "phi-4"}), "spec.model", "unknown field"),
            wrong(json!({"gpus": 2}), "spec.gpus", "unknown field"),
            wrong(json!({"scaling": {}}), "spec.scaling", "say what is promised"),
            wrong(
                json!({"scaling": {"maxReplicas": 3}}),
                "spec.scaling",
                "say what is promised",
            ),
        ],
    )
    .await;
    all_accepted(
        "LLMModel",
        vec![
            ("nothing", json!({})),
            (
                "the document's",
                json!({"modelName": "llama-3-70b", "replicas": 3, "gpuType": "H100"}),
            ),
            ("a label's value", json!({"gpuType": "NVIDIA-H100-80GB-HBM3"})),
            ("a repository", json!({"modelName": "Qwen/Qwen2.5-7B-Instruct"})),
            ("a tag", json!({"modelName": "llama3:70b"})),
            ("nothing runs", json!({"replicas": 0})),
            (
                "a promise",
                json!({"scaling": {"timeToFirstToken": "1s", "maxReplicas": 9}}),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn of_deployments() {
    all_refused_as_they_are(
        "ModelDeployment",
        vec![
            wrong(json!({}), "spec.model", "Required value"),
            wrong(json!({"replicas": 4}), "spec.model", "Required value"),
            wrong(json!({"model": null}), "spec.model", "Required value"),
            wrong(
                json!({"model": ["phi-4"]}),
                "spec.model",
                "must be of type string",
            ),
        ],
    )
    .await;
    all_refused(
        "ModelDeployment",
        vec![
            wrong(json!({"model": ""}), "spec.model", "at least 1 chars long"),
            wrong(
                json!({"replicas": 3, "maxReplicas": 2}),
                "spec",
                "maxReplicas must not be below replicas",
            ),
            wrong(
                json!({"maxReplicas": 0}),
                "spec.maxReplicas",
                "greater than or equal to 1",
            ),
            wrong(
                json!({"replicas": -1}),
                "spec.replicas",
                "greater than or equal to 0",
            ),
            wrong(json!({"sla": {}}), "spec.sla", "say what is promised"),
            wrong(json!({"gpuType": "H_"}), "spec.gpuType", "family such as H100"),
            wrong(json!({"modelName": "phi-4"}), "spec.modelName", "unknown field"),
        ],
    )
    .await;
    all_accepted(
        "ModelDeployment",
        vec![
            (
                "the document's",
                json!({"model": "llama-3-70b", "replicas": 4, "sla": {"maxLatency": "100ms"}}),
            ),
            ("as many", json!({"replicas": 3, "maxReplicas": 3})),
            ("nothing runs", json!({"replicas": 0, "maxReplicas": 3})),
        ],
    )
    .await;
}

#[tokio::test]
async fn of_graphs() {
    let model = |placement: Value| json!({"model": {"name": "phi-4", "placement": placement}});
    all_refused_as_they_are(
        "DynamoGraphDeployment",
        vec![
            wrong(json!({}), "spec.model", "Required value"),
            wrong(json!({"model": {}}), "spec.model.name", "Required value"),
            wrong(json!({"model": "phi-4"}), "spec.model", "must be of type object"),
        ],
    )
    .await;
    let size = "spec.model.placement.tensor_parallel_size";
    all_refused(
        "DynamoGraphDeployment",
        vec![
            wrong(
                model(json!({"tensor_parallel_size": 0})),
                size,
                "greater than or equal to 1",
            ),
            wrong(
                model(json!({"tensor_parallel_size": 65})),
                size,
                "less than or equal to 64",
            ),
            wrong(
                model(json!({"tensor_parallel_size": "4"})),
                size,
                "must be of type integer",
            ),
            wrong(
                model(json!({"gpu_type": "H 100"})),
                "spec.model.placement.gpu_type",
                "family such as H100",
            ),
            wrong(
                model(json!({"tensorParallelSize": 4})),
                "spec.model.placement.tensorParallelSize",
                "unknown field",
            ),
            wrong(json!({"sla": {}}), "spec.sla", "say what is promised"),
            wrong(
                json!({"sla": {"max_latency_ms": 0}}),
                "spec.sla.max_latency_ms",
                "greater than or equal to 1",
            ),
            wrong(
                json!({"sla": {"max_latency_ms": "100ms"}}),
                "spec.sla.max_latency_ms",
                "must be of type integer",
            ),
            wrong(
                json!({"sla": {"min_throughput": 0}}),
                "spec.sla.min_throughput",
                "greater than or equal to 1",
            ),
            wrong(
                json!({"replicas": 3, "max_replicas": 2}),
                "spec",
                "max_replicas must not be below replicas",
            ),
        ],
    )
    .await;
    all_accepted(
        "DynamoGraphDeployment",
        vec![
            ("a name", json!({})),
            (
                "the document's",
                json!({"sla": {"max_latency_ms": 100, "min_throughput": 50},
                    "model": {"name": "llama-3-70b", "placement": {"tensor_parallel_size": 4, "gpu_type": "H100"}}}),
            ),
            ("throughput alone", json!({"sla": {"min_throughput": 50}})),
            ("most alone", json!({"max_replicas": 2})),
        ],
    )
    .await;
}

/// Fields of other kinds are named as unknown by all of them.
#[tokio::test]
async fn nobody_takes_what_it_does_not_know() {
    for kind in KINDS {
        all_refused(
            kind,
            vec![
                wrong(json!({"image": "a/b:c"}), "spec.image", "unknown field"),
                wrong(
                    json!({"serving": {"gpu": 1}}),
                    "spec.serving.gpu",
                    "unknown field",
                ),
            ],
        )
        .await;
    }
}
