//! Which models there are, with and without a tag.

use serde_json::{Value, json};

use crate::desk::{all_refused_on_top, client, create, install, wrong};

/// The document's five, and each with tags as Ollama has them.
/// Promises: S0-9, S0-10
#[tokio::test]
async fn the_five_families_and_their_tags() {
    let client = client().await;
    let mut models: Vec<String> = Vec::new();
    for family in ["tinyllama", "llama2", "mistral", "phi", "codellama"] {
        models.push(family.to_owned());
        for tag in [
            "latest",
            "7b",
            "7b-chat-q4_K_M",
            "v0.2",
            "1.1b-chat-v1-fp16",
            "_",
            "Q4",
        ] {
            models.push(format!("{family}:{tag}"));
        }
    }
    models.push(format!("phi:{}", "a".repeat(80)));
    for model in models {
        let stored = create(&client, "models", &install(&json!({ "model": model })))
            .await
            .unwrap_or_else(|status| panic!("{model}: {}", status.message));
        assert_eq!(stored.data["spec"]["model"], Value::String(model));
    }
}

/// Others are refused, in words that name the five.
/// Promises: S0-9
#[tokio::test]
async fn others_are_refused() {
    let words = "model must be tinyllama, llama2, mistral, phi or codellama, with an optional tag";
    let mut table = Vec::new();
    for model in [
        "llama3",
        "llama2-uncensored",
        "Llama2",
        "library/llama2",
        "registry.example.com/llama2:7b",
        "llama2:",
        "llama2:7b:q4",
        "llama2:-7b",
        "llama2:.7b",
        "llama2:7b q4",
        "llama2 7b",
        " llama2",
        "llama2\n",
        "llama2:7b\n",
        "llama2@sha256:0",
        "phi;reboot",
        "phi:$(reboot)",
    ] {
        table.push(wrong(json!({ "model": model }), "spec.model", words));
    }
    table.push(wrong(
        json!({"model": format!("phi:{}", "a".repeat(81))}),
        "spec.model",
        words,
    ));
    table.push(wrong(json!({"model": ""}), "spec.model", "at least 1 chars long"));
    table.push(wrong(json!({"model": 2}), "spec.model", "must be of type string"));
    all_refused_on_top(table).await;
}
