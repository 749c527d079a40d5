//! kubectl's commands of the document, with the definitions of all families installed.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::{
    bed,
    common::{repository_file, root},
    kubectl as run, text,
};

/// The definition has the document's names, schema and subresources.
/// Promises: S3-1, S3-2, S3-18, S3-22
#[tokio::test]
async fn the_definition_is_the_documents() {
    let cluster = &bed().await.cluster;
    let listed = run(cluster, &["get", "crds"]).await;
    assert!(listed.contains("llmmodels.ai.example.com"), "{listed}");
    let described = run(cluster, &["describe", "crd", "llmmodels.ai.example.com"]).await;
    assert!(described.contains("ai.example.com"), "{described}");
    let yaml = run(cluster, &["get", "crd", "llmmodels.ai.example.com", "-o", "yaml"]).await;
    let crd: Value = serde_saphyr::from_str(&yaml).unwrap();
    let spec = &crd["spec"];
    assert_eq!(spec["group"], "ai.example.com");
    assert_eq!(spec["scope"], "Namespaced");
    let names = &spec["names"];
    for (field, value) in [
        ("plural", "llmmodels"),
        ("singular", "llmmodel"),
        ("kind", "LLMModel"),
    ] {
        assert_eq!(names[field], value);
    }
    let version = &spec["versions"][0];
    assert_eq!(
        (&version["name"], &version["served"], &version["storage"]),
        (&"v1".into(), &true.into(), &true.into())
    );
    let schema = &version["schema"]["openAPIV3Schema"];
    assert_eq!(schema["type"], "object");
    let properties = &schema["properties"]["spec"]["properties"];
    assert_eq!(properties["modelName"]["type"], "string");
    assert_eq!(properties["replicas"]["type"], "integer");
    assert_eq!(properties["gpuType"]["type"], "string");
    assert!(version["subresources"]["status"].is_object(), "{version}");
}

/// What has the wrong type, or a field that is not there, is refused by the API server.
/// Promises: S3-2
#[tokio::test]
async fn the_schema_is_checked() {
    let space = bed().await.space("schema").await;
    for (spec, words) in [
        ("{modelName: 7}", "spec.modelName"),
        ("{replicas: three}", "spec.replicas"),
        ("{replicas: -1}", "spec.replicas"),
        ("{gpuType: [H100]}", "spec.gpuType"),
        ("{replica: 3}", "unknown field"),
    ] {
        let yaml =
            format!("apiVersion: ai.example.com/v1\nkind: LLMModel\nmetadata: {{name: a}}\nspec: {spec}\n");
        let (taken, said) = space.try_apply(&yaml).await;
        assert!(!taken && said.contains(words), "{spec}: {said}");
    }
}

/// Every command of the document, by the names that it uses: plural, singular, short.
/// Promises: S3-4, S3-5
#[tokio::test]
async fn the_documents_commands_work() {
    let space = bed().await.space("commands").await;
    let file = root().join("examples/crd-operator/my-llm-model.yaml");
    let worked = async |args: &[&str]| {
        let (worked, said) = space.kubectl(args).await;
        assert!(worked, "{args:?}: {said}");
        said
    };
    worked(&["apply", "-f", file.to_str().unwrap()]).await;
    for kind in ["llmmodels", "llmmodel", "llm"] {
        let listed = worked(&["get", kind]).await;
        assert!(
            listed.contains("my-model") && listed.contains("STATE"),
            "{listed}"
        );
    }
    let described = worked(&["describe", "llmmodel", "my-model"]).await;
    assert!(described.contains("ai.example.com/v1"), "{described}");
    let yaml = worked(&["get", "llmmodel", "my-model", "-o", "yaml"]).await;
    let stored: Value = serde_saphyr::from_str(&yaml).unwrap();
    let written: Value =
        serde_saphyr::from_str(&repository_file("examples/crd-operator/my-llm-model.yaml")).unwrap();
    assert_eq!(stored["apiVersion"], "ai.example.com/v1");
    assert_eq!(
        stored["spec"], written["spec"],
        "nothing is added to what a person wrote"
    );

    let edited = edit(&space.namespace).await;
    assert!(edited.contains("edited"), "{edited}");
    let path = "jsonpath={.spec.replicas}";
    assert_eq!(worked(&["get", "llmmodel", "my-model", "-o", path]).await, "2");
    worked(&["delete", "llmmodel", "my-model", "--timeout=30s"]).await;
    let (left, _) = space.kubectl(&["get", "llmmodel", "my-model"]).await;
    assert!(!left);
}

/// `kubectl edit` with an editor that changes a number.
async fn edit(namespace: &str) -> String {
    let cluster = &bed().await.cluster;
    let editor =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-editor", std::process::id()));
    std::fs::write(
        &editor,
        "#!/bin/sh\nsed 's/replicas: 1$/replicas: 2/' \"$1\" > \"$1.new\" && cat \"$1.new\" > \"$1\" && rm \"$1.new\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = tokio::process::Command::new(cluster.kubectl_path())
        .args(["edit", "llmmodel", "my-model", "-n", namespace])
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBE_EDITOR", &editor)
        .output()
        .await
        .unwrap();
    std::fs::remove_file(editor).unwrap();
    text(&output)
}
