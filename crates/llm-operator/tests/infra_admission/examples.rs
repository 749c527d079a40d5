//! The document's files, by every verb of kubectl.

use serde_json::Value;

use crate::{
    common::{repository_file, root},
    desk::kubectl,
};

/// The variations, word for word from the document.
const VARIATIONS: [(&str, &str); 3] = [
    (
        "llama2-service",
        r#"apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata:
  name: llama2-service
spec:
  action: install
  llmName: llama2-pod
  model: llama2:7b
  gpuCount: 1
  memory: "8Gi"
  serviceEnabled: true
  servicePort: 11434
  persistentStorage: true
  storageSize: "20Gi"
"#,
    ),
    (
        "check-status",
        "apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata:
  name: check-status
spec:
  action: status
  llmName: gpu-llm-pod
",
    ),
    (
        "cleanup",
        "apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata:
  name: cleanup
spec:
  action: uninstall
  llmName: gpu-llm-pod
",
    ),
];

/// Every file with a resource.
fn files() -> Vec<String> {
    let variations = VARIATIONS.map(|(name, _)| format!("examples/infra/{name}.yaml"));
    let mut files = vec!["manifest-controller/nvidia-gpu-llm-cr.yaml".to_owned()];
    files.extend(variations);
    files
}

/// The files are the document's.
#[test]
fn variations_are_word_for_word() {
    for (name, text) in VARIATIONS {
        assert_eq!(repository_file(&format!("examples/infra/{name}.yaml")), text);
    }
}

/// The example is `TinyLlama` under the document's names.
#[test]
fn the_example_is_tinyllama() {
    let text = repository_file("manifest-controller/nvidia-gpu-llm-cr.yaml");
    let example: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(example["metadata"]["name"], "tinyllama-demo");
    for (field, value) in [
        ("action", "install"),
        ("llmName", "gpu-llm-pod"),
        ("model", "tinyllama"),
    ] {
        assert_eq!(example["spec"][field], value, "{field}");
    }
}

/// What is stored has every word of the file.
async fn kept(namespace: &str, file: &str) {
    let document: Value = serde_saphyr::from_str(&repository_file(file)).unwrap();
    let name = document["metadata"]["name"].as_str().unwrap();
    let text = kubectl(&["get", "gpullm", name, "-n", namespace, "-o", "json"]).await;
    let stored: Value = serde_json::from_str(&text).unwrap();
    for (field, value) in document["spec"].as_object().unwrap() {
        assert_eq!(&stored["spec"][field], value, "{file}: {field}");
    }
    assert_eq!(
        stored["metadata"]["generation"], 1,
        "{file}: a second time changes nothing"
    );
}

/// Applies every file twice in a namespace of its own; the second time there is nothing to do.
async fn twice(namespace: &str, flags: &[&str], first: &str, again: &str) {
    kubectl(&["create", "namespace", namespace]).await;
    for word in [first, again] {
        for file in files() {
            let path = root().join(&file);
            let args = [flags, &["-n", namespace, "-f", path.to_str().unwrap()]].concat();
            let said = kubectl(&args).await;
            assert!(said.trim_end().ends_with(word), "{file}: {said}");
            kept(namespace, &file).await;
        }
    }
    let list = kubectl(&["get", "nvidiagpullms", "-n", namespace, "-o", "name"]).await;
    assert_eq!(list.lines().count(), files().len(), "{list}");
    kubectl(&["delete", "namespace", namespace, "--wait=false"]).await;
}

#[tokio::test]
async fn client_side_apply() {
    let flags = ["apply", "--validate=strict"];
    twice("by-apply", &flags, "created", "unchanged").await;
}

#[tokio::test]
async fn server_side_apply() {
    let flags = ["apply", "--server-side", "--validate=strict"];
    twice(
        "by-server-side-apply",
        &flags,
        "serverside-applied",
        "serverside-applied",
    )
    .await;
}

#[tokio::test]
async fn create_and_replace() {
    kubectl(&["create", "namespace", "by-create"]).await;
    for file in files() {
        let path = root().join(&file);
        for verb in ["create", "replace"] {
            let path = path.to_str().unwrap();
            kubectl(&[verb, "--validate=strict", "-n", "by-create", "-f", path]).await;
            kept("by-create", &file).await;
        }
    }
    kubectl(&["delete", "namespace", "by-create", "--wait=false"]).await;
}
