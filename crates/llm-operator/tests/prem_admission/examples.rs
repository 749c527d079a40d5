//! Every example, by every verb of kubectl, and what is kept of it.

use std::fs;

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap, AutoNodeLabeler};
use serde_json::{Value, json};

use crate::{
    common::root,
    desk::{file, kubectl},
};

/// The files, in a stable order.
fn files() -> Vec<String> {
    let folder = root().join("examples/prem");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files.push(root().join("examples/test.yaml"));
    files
        .into_iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

/// Every document of the files that is of this family, nulls included.
fn documents() -> Vec<Value> {
    let read = |path: &String| {
        let text = fs::read_to_string(path).unwrap();
        serde_saphyr::from_multiple::<Value>(&text).unwrap()
    };
    let all = files();
    let documents = all.iter().flat_map(read);
    documents
        .filter(|document| document["apiVersion"] == "premlabs.io/v1alpha1")
        .collect()
}

/// A namespace of its own for a verb, and the documents in it, as a file.
async fn own_namespace(name: &str) -> (String, Vec<Value>) {
    kubectl(&["create", "namespace", name]).await;
    let mut documents = documents();
    for document in &mut documents {
        document["metadata"]["namespace"] = json!(name);
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
    (file(&format!("{name}.json"), &list.to_string()), documents)
}

/// Without nulls, and without the empty block that stands for an absent `deployment`.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(key, value)| !value.is_null() && (*key != "deployment" || **value != json!({})))
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// What is stored says what the documents say, and our types read it.
async fn kept(documents: &[Value]) {
    assert!(documents.len() >= 22, "{} documents", documents.len());
    for document in documents {
        let metadata = &document["metadata"];
        let (kind, name) = (
            document["kind"].as_str().unwrap(),
            metadata["name"].as_str().unwrap(),
        );
        let namespace = metadata["namespace"].as_str().unwrap_or("default");
        let text = kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]).await;
        let stored: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(plain(&stored["spec"]), plain(&document["spec"]), "{kind} {name}");
        match kind {
            "AIDeployment" => drop(serde_json::from_value::<AIDeployment>(stored).unwrap()),
            "AIModelMap" => drop(serde_json::from_value::<AIModelMap>(stored).unwrap()),
            _ => drop(serde_json::from_value::<AutoNodeLabeler>(stored).unwrap()),
        }
    }
}

/// `kubectl apply -f`, the files unchanged, what is not of this family included; twice changes nothing.
/// Promises: S4-30
#[tokio::test]
async fn client_side_apply() {
    let files = files();
    let mut args = vec!["apply", "--validate=strict"];
    args.extend(files.iter().flat_map(|path| ["-f", path]));
    let said = kubectl(&args).await;
    for line in [
        "aideployment.premlabs.io/simple created",
        "ingress.networking.k8s.io/whoami created",
    ] {
        assert!(said.contains(line), "{said}");
    }
    kept(&documents()).await;
    let again = kubectl(&args).await;
    assert!(
        !again.contains("configured") && !again.contains("created"),
        "{again}"
    );
}

/// `kubectl create -f`.
/// Promises: S4-30
#[tokio::test]
async fn create() {
    let (path, documents) = own_namespace("by-create").await;
    kubectl(&["create", "--validate=strict", "-f", &path]).await;
    kept(&documents).await;
}

/// `kubectl apply --server-side -f`, and a second time without a conflict.
/// Promises: S4-30
#[tokio::test]
async fn server_side_apply() {
    let (path, documents) = own_namespace("by-server-side-apply").await;
    for _ in 0..2 {
        kubectl(&["apply", "--server-side", "--validate=strict", "-f", &path]).await;
        kept(&documents).await;
    }
}

/// `kubectl replace -f`, which writes whole objects.
/// Promises: S4-30
#[tokio::test]
async fn replace() {
    let (path, documents) = own_namespace("by-replace").await;
    kubectl(&["create", "-f", &path]).await;
    kubectl(&["replace", "--validate=strict", "-f", &path]).await;
    kept(&documents).await;
}
