//! `spec.serving`, the same for all three kinds.

use serde_json::{Value, json};

use crate::{
    common::desk::{Wrong, wrong},
    desk::{KINDS, all_accepted, all_refused, apply, desk, smallest},
};

fn serving(more: Value) -> Value {
    json!({ "serving": more })
}

fn refused() -> Vec<Wrong> {
    vec![
        wrong(
            serving(json!({"gpus": 0})),
            "spec.serving.gpus",
            "greater than or equal to 1",
        ),
        wrong(
            serving(json!({"gpus": 17})),
            "spec.serving.gpus",
            "less than or equal to 16",
        ),
        wrong(
            serving(json!({"contextLength": 1})),
            "spec.serving.contextLength",
            "greater than or equal to 256",
        ),
        wrong(
            serving(json!({"concurrency": 0})),
            "spec.serving.concurrency",
            "greater than or equal to 1",
        ),
        wrong(
            serving(json!({"port": 0})),
            "spec.serving.port",
            "greater than or equal to 1",
        ),
        wrong(
            serving(json!({"port": 65536})),
            "spec.serving.port",
            "less than or equal to 65535",
        ),
        wrong(
            serving(json!({"engine": "magic"})),
            "spec.serving.engine",
            "Unsupported value",
        ),
        wrong(
            serving(json!({"image": ""})),
            "spec.serving.image",
            "at least 1 chars long",
        ),
        wrong(
            serving(json!({"args": "--a"})),
            "spec.serving.args",
            "must be of type array",
        ),
        wrong(
            serving(json!({"env": "A=b"})),
            "spec.serving.env",
            "must be of type array",
        ),
        wrong(
            serving(json!({"env": [{"value": "b"}]})),
            "spec.serving.env[0].name",
            "Required value",
        ),
        wrong(
            serving(json!({"storage": {}})),
            "spec.serving.storage",
            "set exactly one of size",
        ),
        wrong(
            serving(json!({"storage": {"size": "1Gi", "existingClaim": "a"}})),
            "spec.serving.storage",
            "set exactly one of size",
        ),
        wrong(
            serving(json!({"storage": {"existingClaim": "a", "storageClassName": "fast"}})),
            "spec.serving.storage",
            "cannot go with existingClaim",
        ),
        wrong(
            serving(json!({"access": {"from": []}})),
            "spec.serving.access.from",
            "admit everyone",
        ),
        wrong(
            serving(json!({"terminationGracePeriodSeconds": -1})),
            "spec.serving.terminationGracePeriodSeconds",
            "greater than or equal to 0",
        ),
        wrong(
            serving(json!({"nodeSelector": {"a": 1}})),
            "spec.serving.nodeSelector.a",
            "must be of type string",
        ),
        wrong(
            serving(json!({"imagePullSecrets": ["registry"]})),
            "spec.serving.imagePullSecrets[0]",
            "must be of type object",
        ),
    ]
}

#[tokio::test]
async fn mistakes_are_named() {
    for kind in KINDS {
        all_refused(kind, refused()).await;
    }
}

#[tokio::test]
async fn everything_that_is_documented_is_taken() {
    let all = json!({
        "engine": "vllm", "image": "vllm/vllm-openai:v0.33.0", "source": "hf://a/b", "gpus": 2, "contextLength": 4096,
        "concurrency": 4, "quantization": "fp8", "resources": {"cpu": 8, "memory": "64Gi"}, "storage": {"size": "100Gi"},
        "tokenSecret": "my-token", "args": ["--a"], "env": [{"name": "A", "value": "b"}], "port": 9000,
        "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "high", "runtimeClassName": "nvidia", "terminationGracePeriodSeconds": 0,
        "disruptionBudget": {"maxUnavailable": "25%"}, "access": {"from": [{"podSelector": {}}]},
    });
    let each = all.as_object().unwrap().iter();
    let mut table: Vec<(&str, Value)> = each
        .map(|(field, value)| (field.as_str(), serving(json!({ field: value }))))
        .collect();
    table.push(("all of it", serving(all.clone())));
    table.push(("nothing", serving(json!({}))));
    for kind in KINDS {
        all_accepted(kind, table.clone()).await;
    }
}

/// A claim grows and never shrinks; its class stays.
#[tokio::test]
async fn claims_later() {
    let client = desk().await.client().await;
    for kind in KINDS {
        let spec = |storage: Value| {
            crate::common::desk::with(smallest(kind), &serving(json!({ "storage": storage })))
        };
        let apply = async |storage: Value| apply(&client, kind, "claims", &spec(storage)).await;
        apply(json!({"size": "100Gi", "storageClassName": "fast"}))
            .await
            .unwrap();
        let said = apply(json!({"size": "50Gi", "storageClassName": "fast"}))
            .await
            .unwrap_err();
        assert!(said.contains("size can grow but not shrink"), "{said}");
        let said = apply(json!({"size": "100Gi", "storageClassName": "slow"}))
            .await
            .unwrap_err();
        assert!(said.contains("storageClassName cannot be changed"), "{said}");
        apply(json!({"size": "200Gi", "storageClassName": "fast"}))
            .await
            .unwrap();
    }
}
