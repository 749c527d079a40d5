//! vLLM.

use serde_json::json;

use crate::{
    bed,
    common::repository_file,
    seen::{completed, http, listed, map, pod_spec, port, ports, resource, serving, table, wait_word},
};

/// The example on one GPU, row by row of the table of engines; it serves its model.
/// Promises: S4-11, S4-13, S4-15
#[tokio::test]
async fn the_example_is_as_the_table_says_and_serves() {
    let space = bed().await.space("vllm").await;
    let yaml = repository_file("examples/prem/vllm.yaml")
        .replace("namespace: vllm", &format!("namespace: {}", space.namespace));
    space.apply(&yaml).await;
    let status = wait_word(&space, "mistral", "Ready").await;
    assert_eq!((status.err_msg, status.gpu.as_deref()), (None, Some("1 x GPU")));
    let container = json!({
        "image": "vllm/vllm-openai:latest", "imagePullPolicy": "Always",
        "args": ["--model", "mistralai/Mistral-7B-v0.1"],
        "volumeMounts": [{"name": "models", "mountPath": "/root/.cache/huggingface"}],
        "resources": {
            "requests": {"nvidia.com/gpu": "1"},
            "limits": {"cpu": "1", "memory": "16Gi", "nvidia.com/gpu": "1"},
        },
        "startupProbe": http("/health", 8000, [3, 1, 1, 1, 120]),
        "readinessProbe": http("/health", 8000, [0, 1, 10, 1, 3]),
        "livenessProbe": http("/health", 8000, [0, 15, 30, 1, 10]),
    });
    assert_eq!(table(&space, "mistral").await, container);
    let pod = pod_spec(&space, "mistral").await;
    assert_eq!(json!(pod.volumes), json!([{"name": "models", "emptyDir": {}}]));
    assert_eq!((pod.init_containers, pod.image_pull_secrets), (None, None));
    assert_eq!(pod.runtime_class_name.as_deref(), Some("nvidia"));
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(ports(&space, "mistral").await, port(8000));
    let model = "mistralai/Mistral-7B-v0.1";
    assert_eq!(listed(&space, "mistral", 8000).await, [model]);
    completed(&space, "mistral", 8000, model).await;
}

/// Data type and quantization: the map's, over them the model's own, over both the options'.
/// Promises: S4-16, S4-17
#[tokio::test]
async fn the_last_word_on_data_type_and_quantization() {
    let space = bed().await.space("words").await;
    let variant = json!({"variant": "v", "uri": "a/b", "dataType": "float16", "quantization": "awq"});
    let mut yaml = map("phi", &json!({"vllm": [variant]}));
    let reference = json!({"modelMapRef": {"name": "phi", "variant": "v"}});
    let own = json!({"modelMapRef": {"name": "phi", "variant": "v"}, "dataType": "bfloat16", "uri": "c/d"});
    let cases = [
        (
            "map",
            &reference,
            json!({}),
            "--model a/b --dtype float16 --quantization awq",
        ),
        (
            "own",
            &own,
            json!({}),
            "--model c/d --dtype bfloat16 --quantization awq",
        ),
        (
            "options",
            &own,
            json!({"dtype": "half", "quantization": "gptq"}),
            "--model c/d --dtype half --quantization gptq",
        ),
        (
            "plain",
            &json!({"uri": "a/b"}),
            json!({"dtype": "auto"}),
            "--model a/b --dtype auto",
        ),
    ];
    for (name, model, options, _) in &cases {
        let spec = json!({
            "engine": {"name": "vllm", "options": options}, "models": [model], "deployment": {"replicas": 0},
        });
        yaml.push_str(&resource(name, &spec));
    }
    space.apply(&yaml).await;
    for (name, _, _, args) in cases {
        let container = serving(&space, name).await;
        assert_eq!(container.args.unwrap().join(" "), args, "{name}");
    }
}
