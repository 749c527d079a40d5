//! What must be there, of which type, and in which range.

use serde_json::json;

use crate::desk::{all_refused, all_refused_on_top, client, create, install, wrong};

/// Action and name are required, and named when they are missing.
/// Promises: S0-7
#[tokio::test]
async fn action_and_name() {
    all_refused(vec![
        wrong(json!({"llmName": "a"}), "spec.action", "Required value"),
        wrong(json!({"action": "install"}), "spec.llmName", "Required value"),
        wrong(json!({}), "spec.action", "Required value"),
        wrong(json!(null), "spec", "Required value"),
    ])
    .await;
}

/// Three actions, in these letters.
/// Promises: S0-5, S0-7
#[tokio::test]
async fn three_actions() {
    let client = client().await;
    for action in ["install", "status", "uninstall"] {
        let stored = create(&client, "acts", &install(&json!({ "action": action })))
            .await
            .unwrap();
        assert_eq!(stored.data["spec"]["action"], action);
    }
    let words = r#"supported values: "install", "status", "uninstall""#;
    all_refused_on_top(vec![
        wrong(json!({"action": "Install"}), "spec.action", words),
        wrong(json!({"action": "delete"}), "spec.action", words),
        wrong(json!({"action": ""}), "spec.action", words),
        wrong(json!({"action": true}), "spec.action", "must be of type string"),
    ])
    .await;
}

/// `llmName` becomes the name of a Pod and a Service.
#[tokio::test]
async fn the_name_is_a_services() {
    let client = client().await;
    for name in ["a", "gpu-llm-pod", "a1-2", &"a".repeat(63)] {
        create(&client, "named", &install(&json!({ "llmName": name })))
            .await
            .unwrap_or_else(|status| panic!("{name}: {}", status.message));
    }
    let words = "becomes the name of a Pod and a Service";
    all_refused_on_top(vec![
        wrong(json!({"llmName": "GPU"}), "spec.llmName", words),
        wrong(json!({"llmName": "1gpu"}), "spec.llmName", words),
        wrong(json!({"llmName": "gpu.pod"}), "spec.llmName", words),
        wrong(json!({"llmName": "gpu_pod"}), "spec.llmName", words),
        wrong(json!({"llmName": "-gpu"}), "spec.llmName", words),
        wrong(json!({"llmName": "gpu-"}), "spec.llmName", words),
        wrong(json!({"llmName": "gpu pod"}), "spec.llmName", words),
        wrong(json!({"llmName": "gpu\n"}), "spec.llmName", words),
        wrong(json!({"llmName": ""}), "spec.llmName", "at least 1 chars long"),
        wrong(json!({"llmName": "a".repeat(64)}), "spec.llmName", "63"),
        wrong(json!({"llmName": 5}), "spec.llmName", "must be of type string"),
    ])
    .await;
}

/// The resource's own name becomes the value of a label.
#[tokio::test]
async fn the_resources_name_is_a_labels_value() {
    let client = client().await;
    let spec = install(&json!({}));
    for name in ["a", "1st", "tinyllama.demo", &"a".repeat(63)] {
        create(&client, name, &spec)
            .await
            .unwrap_or_else(|status| panic!("{name}: {}", status.message));
    }
    let long = "a".repeat(64);
    let status = create(&client, &long, &spec).await.unwrap_err();
    assert!(
        status
            .message
            .contains("metadata.name becomes the value of a label"),
        "{}",
        status.message
    );
}

/// Numbers, switches and lists, and how much of them.
#[tokio::test]
async fn types_and_ranges() {
    let many: Vec<String> = (0..65).map(|index| format!("prompt {index}")).collect();
    all_refused_on_top(vec![
        wrong(
            json!({"gpuCount": -1}),
            "spec.gpuCount",
            "greater than or equal to 0",
        ),
        wrong(
            json!({"gpuCount": 65}),
            "spec.gpuCount",
            "less than or equal to 64",
        ),
        wrong(
            json!({"gpuCount": "1"}),
            "spec.gpuCount",
            "must be of type integer",
        ),
        wrong(json!({"gpuCount": 0.5}), "spec.gpuCount", "must be of type int"),
        wrong(
            json!({"servicePort": 0}),
            "spec.servicePort",
            "greater than or equal to 1",
        ),
        wrong(
            json!({"servicePort": 65_536}),
            "spec.servicePort",
            "less than or equal to 65535",
        ),
        wrong(
            json!({"serviceEnabled": "true"}),
            "spec.serviceEnabled",
            "must be of type boolean",
        ),
        wrong(
            json!({"persistentStorage": 1}),
            "spec.persistentStorage",
            "must be of type boolean",
        ),
        wrong(
            json!({"keepAlive": "no"}),
            "spec.keepAlive",
            "must be of type boolean",
        ),
        wrong(json!({"prompts": "one"}), "spec.prompts", "must be of type array"),
        wrong(
            json!({"prompts": [1]}),
            "spec.prompts[0]",
            "must be of type string",
        ),
        wrong(
            json!({"prompts": ["one", ""]}),
            "spec.prompts[1]",
            "at least 1 chars long",
        ),
        wrong(json!({"prompts": ["a".repeat(8193)]}), "spec.prompts[0]", "8192"),
        wrong(json!({ "prompts": many }), "spec.prompts", "at most 64 items"),
        wrong(
            json!({"access": {"from": []}}),
            "spec.access.from",
            "would admit everyone",
        ),
        wrong(json!({"image": ""}), "spec.image", "at least 1 chars long"),
        wrong(json!({"gpus": 1}), "spec.gpus", "unknown field"),
    ])
    .await;
}
