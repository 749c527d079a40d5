//! What kubectl shows of the resources, and which words a person types.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{
    common::desk::file,
    desk::{KINDS, api, apply, desk, smallest},
};

async fn table(args: &[&str]) -> Vec<Vec<String>> {
    let text = desk().await.kubectl(args).await;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().map(words).collect()
}

/// The words of the document: `get`, `describe`, `-o yaml`, `edit`, `delete`, `apply`, and the short name.
/// Promises: S3-4, S3-5
#[tokio::test]
async fn the_documents_commands() {
    let desk = desk().await;
    let yaml = "apiVersion: ai.example.com/v1\nkind: LLMModel\nmetadata:\n  name: my-model\nspec:\n  modelName: llama-3-70b\n  replicas: 3\n  gpuType: H100\n";
    let path = file("my-llm-model.yaml", yaml);
    desk.kubectl(&["apply", "-f", &path]).await;
    // Another group has the plural too, and another kind the short name: kubectl takes the first group of the alphabet.
    for words in [
        ["get", "llmmodels"],
        ["get", "llm"],
        ["get", "llmmodels.ai.example.com"],
        ["get", "llmmodel"],
    ] {
        let shown = table(&words).await;
        assert_eq!(
            shown[0],
            ["NAME", "MODEL", "DESIRED", "READY", "GPU", "STATE", "AGE"],
            "{words:?}"
        );
        assert!(
            shown.iter().any(|row| row[0] == "my-model"),
            "{words:?}: {shown:?}"
        );
    }
    let described = desk.kubectl(&["describe", "llmmodel", "my-model"]).await;
    for words in ["llama-3-70b", "H100", "Replicas:"] {
        assert!(described.contains(words), "{described}");
    }
    let stored = desk.kubectl(&["get", "llmmodel", "my-model", "-o", "yaml"]).await;
    assert!(
        stored.contains("gpuType: H100") && stored.contains("ai.example.com/v1"),
        "{stored}"
    );
    desk.kubectl(&[
        "patch",
        "llm",
        "my-model",
        "--type=merge",
        "-p",
        r#"{"spec":{"replicas":5}}"#,
    ])
    .await;
    desk.kubectl(&["scale", "llmmodels.ai.example.com/my-model", "--replicas=4"])
        .await;
    let edited = desk
        .kubectl(&["get", "llm", "my-model", "-o", "jsonpath={.spec.replicas}"])
        .await;
    assert!(edited.starts_with('4'), "{edited}");
    desk.kubectl(&["delete", "llmmodel", "my-model"]).await;
    let (found, said) = desk.try_kubectl(&["get", "llmmodel", "my-model"]).await;
    assert!(!found && said.contains("NotFound"), "{said}");
}

/// The columns of a resource that serves, and why below `-o wide`.
#[tokio::test]
async fn columns() {
    let client = desk().await.client().await;
    let status = json!({"status": {
        "state": "Ready", "reason": "AllReplicasReady", "replicas": 2, "readyReplicas": 2, "desiredReplicas": 3, "gpu": "4xH100", "image": "an-image",
        "sizing": {"model": "phi-4"},
    }});
    for (kind, words, narrow, wide) in [
        (
            "LLMModel",
            "llm",
            &["NAME", "MODEL", "DESIRED", "READY", "GPU", "STATE", "AGE"][..],
            &["IMAGE", "REASON"][..],
        ),
        (
            "ModelDeployment",
            "mdeploy",
            &[
                "NAME", "MODEL", "LATENCY", "LEAST", "DESIRED", "READY", "STATE", "AGE",
            ],
            &["GPU", "IMAGE", "REASON"],
        ),
        (
            "DynamoGraphDeployment",
            "dgd",
            &[
                "NAME",
                "MODEL",
                "LATENCY-MS",
                "THROUGHPUT",
                "DESIRED",
                "READY",
                "STATE",
                "AGE",
            ],
            &["GPU", "IMAGE", "REASON"],
        ),
    ] {
        apply(&client, kind, "listed", &smallest(kind)).await.unwrap();
        api(&client, kind)
            .patch_status("listed", &PatchParams::default(), &Patch::Merge(status.clone()))
            .await
            .unwrap();
        assert_eq!(table(&["get", words, "listed"]).await[0], narrow);
        let shown = table(&["get", words, "listed", "-o", "wide"]).await;
        assert_eq!(shown[0], [narrow, wide].concat());
        for word in ["phi-4", "3", "Ready", "4xH100", "an-image", "AllReplicasReady"] {
            assert!(shown[1].contains(&word.to_owned()), "{kind} {word}: {shown:?}");
        }
        let all = desk().await.kubectl(&["get", "llm-operator"]).await;
        assert!(all.contains(&kind.to_lowercase()), "{all}");
    }
}

/// A status is written below `/status` only, a spec not through it, and its words are those that are documented.
/// Promises: S3-22
#[tokio::test]
async fn spec_and_status_are_apart() {
    let client = desk().await.client().await;
    for kind in KINDS {
        let resources = api(&client, kind);
        apply(&client, kind, "apart", &smallest(kind)).await.unwrap();
        let patch = Patch::Merge(json!({"spec": {"replicas": 7}, "status": {"state": "Blocked"}}));
        resources
            .patch_status("apart", &PatchParams::default(), &patch)
            .await
            .unwrap();
        let stored = resources.get("apart").await.unwrap();
        assert_ne!(stored.data["spec"]["replicas"], 7, "{kind}");
        assert_eq!(stored.data["status"]["state"], "Blocked");
        assert_eq!(stored.metadata.generation, Some(1));
        let merge = Patch::Merge(json!({"status": {"state": "Ready"}}));
        resources
            .patch("apart", &PatchParams::default(), &merge)
            .await
            .unwrap();
        assert_eq!(
            resources.get("apart").await.unwrap().data["status"]["state"],
            "Blocked"
        );
        for wrong in [
            json!({"state": "Running"}),
            json!({"readyReplicas": "2"}),
            json!({"conditions": [{"type": "Ready"}]}),
        ] {
            let patch = Patch::Merge(json!({ "status": wrong }));
            let answer = resources
                .patch_status("apart", &PatchParams::default(), &patch)
                .await;
            assert!(answer.is_err(), "{kind}: {wrong} was accepted");
        }
    }
}

/// What is filled in is little: the number of replicas, and nothing that a later version might decide otherwise.
#[tokio::test]
async fn defaults() {
    let client = desk().await.client().await;
    for (kind, filled) in [
        ("LLMModel", json!({"replicas": 1})),
        ("ModelDeployment", json!({"replicas": 1, "model": "phi-4"})),
        ("DynamoGraphDeployment", json!({"model": {"name": "phi-4"}})),
    ] {
        let stored = apply(&client, kind, "filled", &smallest(kind)).await.unwrap();
        assert_eq!(stored.data["spec"], filled, "{kind}");
    }
}

/// `kubectl explain` describes fields with their defaults.
#[tokio::test]
async fn explain_teaches() {
    let desk = desk().await;
    for (field, words) in [
        ("llmmodels.spec.modelName", "Default: the resource's own name"),
        ("llmmodels.spec.gpuType", "nvidia.com/gpu.product"),
        ("llmmodels.spec.serving.gpus", "Default: the fewest"),
        ("mdeploy.spec.maxReplicas", "Default: four times"),
        ("mdeploy.spec.sla.maxLatency", "mean time per output token"),
        (
            "dgd.spec.model.placement.tensor_parallel_size",
            "over which each layer is split",
        ),
        ("dgd.spec.sla.min_throughput", "Output tokens per second"),
        ("mdeploy.status.sizing.explanation", "The arithmetic"),
    ] {
        let said: String = desk
            .kubectl(&["explain", field])
            .await
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(said.contains(words), "{field}: {said}");
    }
}
