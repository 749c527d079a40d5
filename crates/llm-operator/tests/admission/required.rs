//! What must be there, and of which type.

use serde_json::json;

use crate::desk::{Wrong, all_refused, deployment, desk, model, wrong};

/// A model without its name or its image is refused by the API server, and the missing field is named.
/// Promises: S2-2, S2-3, S2-13
#[tokio::test]
async fn a_model_needs_name_and_image() {
    all_refused(
        "LLMModel",
        Clone::clone,
        vec![
            wrong(json!({"image": "a/b:v1"}), "spec.modelName", "Required value"),
            wrong(json!({"modelName": "Small"}), "spec.image", "Required value"),
            wrong(json!({}), "spec.image", "Required value"),
            wrong(json!(null), "spec", "Required value"),
        ],
    )
    .await;
    all_refused(
        "LLMModel",
        model,
        vec![
            wrong(
                json!({"modelName": ""}),
                "spec.modelName",
                "at least 1 chars long",
            ),
            wrong(
                json!({"modelName": 5}),
                "spec.modelName",
                "must be of type string",
            ),
            wrong(json!({"image": ""}), "spec.image", "at least 1 chars long"),
            wrong(json!({"image": ["a"]}), "spec.image", "must be of type string"),
            wrong(
                json!({"image": "a b"}),
                "spec.image",
                "container image reference without blanks",
            ),
        ],
    )
    .await;
}

/// A deployment without the model's name or the number of replicas is refused by the API server, by field.
/// Promises: S2-6, S2-7, S2-13
#[tokio::test]
async fn a_deployment_needs_a_model_and_replicas() {
    all_refused(
        "LLMDeployment",
        Clone::clone,
        vec![
            wrong(json!({"replicas": 1}), "spec.modelRef", "Required value"),
            wrong(json!({"modelRef": "small"}), "spec.replicas", "Required value"),
            wrong(json!(null), "spec", "Required value"),
        ],
    )
    .await;
    all_refused(
        "LLMDeployment",
        deployment,
        vec![
            wrong(json!({"modelRef": ""}), "spec.modelRef", "at least 1 chars long"),
            wrong(
                json!({"modelRef": "My Model"}),
                "spec.modelRef",
                "name of an LLMModel",
            ),
            wrong(
                json!({"modelRef": "../small"}),
                "spec.modelRef",
                "name of an LLMModel",
            ),
            wrong(
                json!({"replicas": "two"}),
                "spec.replicas",
                "must be of type integer",
            ),
            wrong(json!({"replicas": 1.5}), "spec.replicas", "must be of type int"),
            wrong(
                json!({"replicas": -1}),
                "spec.replicas",
                "greater than or equal to 0",
            ),
        ],
    )
    .await;
}

/// A name that cannot become a Service's is refused before anything is made for it.
#[tokio::test]
async fn names_are_names_of_services() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    let spec = deployment(&json!({}));
    let long = "a".repeat(64);
    let mut problems = Vec::new();
    for name in ["1chat", "chat.service", long.as_str()] {
        let refused = crate::desk::create(&client, "LLMDeployment", name, &spec).await;
        let row = Wrong {
            spec: json!(name),
            field: "",
            words: "metadata.name becomes the name of a Service",
        };
        let status = refused.err().unwrap_or_else(|| panic!("{name} was accepted"));
        // A rule over the whole object has no field of its own: the sentence itself names it.
        let told = status.message.contains(row.words);
        if !told {
            problems.push(status.message.clone());
        }
    }
    assert!(problems.is_empty(), "{problems:?}");
    for name in ["c", "chat-2", &"a".repeat(63)] {
        crate::desk::create(&client, "LLMDeployment", name, &spec)
            .await
            .unwrap_or_else(|status| panic!("{name}: {}", status.message));
    }
    // A model is no Service; any object name will do.
    crate::desk::create(&client, "LLMModel", "llama-3.1-8b", &model(&json!({})))
        .await
        .unwrap();
}

/// kubectl refuses a misspelt field instead of dropping it, and names it.
#[tokio::test]
async fn misspelt_fields_are_named_by_kubectl() {
    let cluster = &desk().await.cluster;
    let file = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}-misspelt.yaml", std::process::id()));
    let text = crate::common::chat_service().replace("replicas: 2", "replicas: 2\n  replica: 2");
    std::fs::write(&file, text).unwrap();
    let output = cluster
        .kubectl(&["apply", "-f", file.to_str().unwrap()])
        .await
        .unwrap();
    std::fs::remove_file(file).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(r#"unknown field "spec.replica""#), "{said}");
}
