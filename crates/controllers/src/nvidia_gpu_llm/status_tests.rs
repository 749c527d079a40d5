use serde_json::json;

use super::*;

fn resource(generation: i64, started: i64, state: &str, reason: &str) -> NvidiaGpuLlm {
    serde_json::from_value(json!({
        "apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm",
        "metadata": {"name": "demo", "namespace": "n", "uid": "u", "generation": generation},
        "spec": {"action": "install", "llmName": "pod"},
        "status": {
            "startedGeneration": started, "state": state, "reason": reason, "message": "As it was.",
            "modelLoaded": "tinyllama",
        },
    }))
    .unwrap()
}

/// A process that has just begun keeps what its predecessor heard, and nothing else.
#[test]
fn what_a_server_said_stands_for_its_generation() {
    for (resource, stands) in [
        (resource(2, 2, "Ready", "ModelLoaded"), true),
        (resource(2, 2, "Progressing", "Answering"), true),
        (resource(3, 2, "Ready", "ModelLoaded"), false),
        (resource(2, 2, "Progressing", "Begun"), false),
        (resource(2, 2, "Loading", "LoadingModel"), false),
        (resource(2, 2, "Blocked", "OllamaUnreachable"), false),
    ] {
        let told = told_of_server(&resource);
        assert_eq!(told.is_some(), stands, "{:?}", resource.status);
        if let Some((verdict, status)) = told {
            assert_eq!(Some(&status), resource.status.as_ref(), "nothing to write");
            assert_eq!(Some(verdict.sentence), status.message);
        }
    }
}
