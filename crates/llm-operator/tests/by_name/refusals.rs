//! What is refused before a GPU is taken: the reason, the way out, one Event, and nothing made.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use serde_json::{Value, json};

use crate::{
    bed,
    seen::{edit, engine, made, resource, small, small_set, wait_reason, wait_state, wait_status},
};

/// Name, spec, reason, words of the sentence.
type Case = (&'static str, Value, &'static str, &'static [&'static str]);

fn of_the_model() -> Vec<Case> {
    vec![
        (
            "unknown",
            json!({"modelName": "lama-3-70b"}),
            "UnknownModel",
            &[
                "spec.modelName",
                "lama-3-70b",
                "llama-3-70b",
                "llm-operator-models",
            ],
        ),
        (
            "llama-3-71b",
            json!({}),
            "UnknownModel",
            &["\"llama-3-71b\"", "llama-3-70b"],
        ),
        (
            "gated",
            json!({"modelName": "llama-3-8b"}),
            "TokenMissing",
            &["llama-3-8b is gated", "kubectl create secret generic hf-token"],
        ),
        (
            "precision",
            small(json!({"serving": {"quantization": "mxfp4"}})),
            "InvalidSpec",
            &["spec.serving.quantization", "no weights in mxfp4", "awq", "fp8"],
        ),
        (
            "no-precision",
            small(json!({"serving": {"quantization": "tiny"}})),
            "InvalidSpec",
            &["spec.serving.quantization", "tiny"],
        ),
        (
            "too-long",
            small(json!({"serving": {"contextLength": 1_000_000}})),
            "InvalidSpec",
            &["spec.serving.contextLength", "at most 32768 tokens", "1000000"],
        ),
        (
            "too-old",
            json!({"modelName": "phi-4-mini", "serving": {"image": "vllm/vllm-openai:v0.1.0"}}),
            "InvalidSpec",
            &["spec.serving.image", "newer", "0.1.0"],
        ),
        (
            "bad-source",
            small(json!({"serving": {"source": "ftp://somewhere/model"}})),
            "InvalidSpec",
            &["spec.serving.source", "hf://", "pvc://"],
        ),
    ]
}

fn of_the_gpus() -> Vec<Case> {
    vec![
        (
            "nowhere",
            json!({"modelName": "kimi-k2"}),
            "DoesNotFit",
            &["kimi-k2 does not fit", "8 x H100", "weights"],
        ),
        (
            "no-such-node",
            json!({"modelName": "phi-4", "gpuType": "A100"}),
            "NoSuchNode",
            &[
                "a node with A100",
                "16 nodes with 8 x NVIDIA-H100-80GB-HBM3",
                "gpuType",
            ],
        ),
        (
            "no-such-gpu",
            json!({"modelName": "phi-4", "gpuType": "H10000"}),
            "InvalidSpec",
            &["spec.gpuType", "\"H10000\" is no GPU that is known", "H100", "L4"],
        ),
        (
            "no-split",
            small(json!({"serving": {"gpus": 3}})),
            "InvalidSpec",
            &["spec.serving.gpus", "cannot be split over 3 GPUs", "use 1"],
        ),
        (
            "too-many",
            json!({"modelName": "qwen2.5-72b", "serving": {"gpus": 16}}),
            "NoSuchNode",
            &["16 x H100 in one node", "lower gpus", "4 GPUs"],
        ),
        (
            "too-few",
            json!({"modelName": "qwen2.5-72b", "serving": {"gpus": 1}}),
            "DoesNotFit",
            &["qwen2.5-72b does not fit", "what would fit", "4 GPUs", "awq"],
        ),
        (
            "too-small-a-claim",
            json!({"modelName": "phi-4", "serving": {"storage": {"size": "1Gi"}}}),
            "InvalidSpec",
            &[
                "spec.serving.storage.size",
                "1Gi is less than",
                "phi-4",
                "or more",
            ],
        ),
        (
            "no-size",
            json!({"modelName": "phi-4", "serving": {"storage": {"size": "much"}}}),
            "InvalidSpec",
            &["spec.serving.storage.size", "much"],
        ),
    ]
}

fn of_the_options() -> Vec<Case> {
    vec![
        (
            "fewer-than-least",
            small(json!({"replicas": 3, "scaling": {"maxReplicas": 2, "timePerOutputToken": "50ms"}})),
            "InvalidSpec",
            &["spec.scaling.maxReplicas", "2 is below", "3"],
        ),
        (
            "bad-variable",
            small(json!({"serving": {"env": [{"name": "a=b", "value": "x"}]}})),
            "InvalidSpec",
            &["spec.serving.env"],
        ),
        (
            "bad-toleration",
            small(json!({"serving": {"tolerations": [{"operator": "Sometimes"}]}})),
            "InvalidSpec",
            &["spec.serving.tolerations"],
        ),
        (
            "bad-amount",
            small(json!({"serving": {"resources": {"memory": "lots"}}})),
            "InvalidSpec",
            &["spec.serving.resources.memory", "lots"],
        ),
        (
            "bad-budget",
            small(json!({"serving": {"disruptionBudget": {"minAvailable": "200%"}}})),
            "InvalidSpec",
            &["spec.serving.disruptionBudget"],
        ),
        (
            "bad-selector",
            small(json!({"serving": {"nodeSelector": {"not a label": "x"}}})),
            "InvalidSpec",
            &["spec.serving.nodeSelector"],
        ),
    ]
}

/// Each mistake is told with its field or its arithmetic and the way out, once as an Event; and nothing is made.
/// Promises: S3-23
#[tokio::test]
async fn mistakes_are_told_before_a_gpu_is_taken() {
    let space = bed().await.space("refused").await;
    let cases: Vec<Case> = [of_the_model(), of_the_gpus(), of_the_options()].concat();
    let mut admitted = Vec::new();
    for (name, spec, reason, words) in cases {
        let (taken, said) = space.try_apply(&resource("LLMModel", name, spec)).await;
        if taken {
            admitted.push((name, reason, words));
        } else {
            // The API server says it by itself, which is earlier still.
            let field = words[0].trim_start_matches("spec.");
            assert!(said.contains(field) && reason == "InvalidSpec", "{name}: {said}");
        }
    }
    assert!(admitted.len() > 14, "{admitted:?}");
    for (name, reason, words) in &admitted {
        let said = wait_reason::<LLMModel>(&space, name, reason).await;
        for part in *words {
            assert!(said.contains(part), "{name}: {part:?} is missing in: {said}");
        }
        let events = crate::seen::wait_event(&space, name, reason).await;
        assert_eq!(events, 1, "{name}");
    }
    assert_eq!(made(&space).await, Vec::<String>::new());
}

/// A mistake in an edit is told; what runs goes on as it is, and the edit taken back rolls nothing.
#[tokio::test]
async fn what_runs_is_left_as_it_is() {
    let space = bed().await.space("later").await;
    space.apply(&resource("LLMModel", "chat", small(json!({})))).await;
    space
        .apply(&resource(
            "ModelDeployment",
            "set",
            small_set(json!({"serving": {"port": 9000}})),
        ))
        .await;
    wait_state::<LLMModel>(&space, "chat", "Ready").await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    let before = made(&space).await;
    let workload = async || {
        let api = space.api::<k8s_openapi::api::apps::v1::Deployment>();
        let found = api.get("chat").await.unwrap();
        (found.metadata.generation, engine(&found))
    };
    let running = workload().await;
    for (mistake, reason) in [
        (json!({"modelName": "no-such-model"}), "UnknownModel"),
        (json!({"modelName": "llama-3-8b"}), "TokenMissing"),
        (json!({"modelName": "kimi-k2"}), "DoesNotFit"),
        (json!({"gpuType": "L40S"}), "NoSuchNode"),
        (json!({"gpuType": "Voodoo"}), "InvalidSpec"),
        (json!({"serving": {"quantization": "mxfp4"}}), "InvalidSpec"),
    ] {
        edit(&space, "llmmodels.ai.example.com", "chat", mistake.clone()).await;
        let status =
            wait_status::<LLMModel>(&space, "chat", reason, |status| status["reason"] == reason).await;
        assert_eq!(status["readyReplicas"], 1, "{mistake}: it serves all the same");
        assert_eq!(workload().await, running, "{mistake}");
        edit(
            &space,
            "llmmodels.ai.example.com",
            "chat",
            json!({"modelName": "qwen2.5-0.5b", "gpuType": "H100", "serving": null}),
        )
        .await;
        wait_state::<LLMModel>(&space, "chat", "Ready").await;
        assert_eq!(workload().await, running, "{mistake} taken back");
    }
    edit(
        &space,
        "modeldeployments",
        "set",
        json!({"model": "no-such-model"}),
    )
    .await;
    let said = wait_reason::<ModelDeployment>(&space, "set", "UnknownModel").await;
    assert!(said.contains("spec.model:"), "{said}");
    assert_eq!(made(&space).await, before);
}
