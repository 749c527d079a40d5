//! The examples, offline: as the types read them, nothing of them is lost.

use std::{fs, path::PathBuf};

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap, AutoNodeLabeler};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Every document of `examples/test.yaml` and `examples/prem/`, with the file it stands in.
pub fn documents() -> Vec<(String, Value)> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut files = vec![examples.join("test.yaml")];
    for entry in fs::read_dir(examples.join("prem")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            files.push(path);
        }
    }
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(documents.into_iter().map(|document| (name.clone(), document)));
    }
    found
}

/// Without nulls, and with quantities as the strings that they are in Kubernetes.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| match (key.as_str(), value) {
                ("cpu" | "memory" | "nvidia.com/gpu", Value::Number(number)) => {
                    (key.clone(), number.to_string().into())
                }
                _ => (key.clone(), plain(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn read_back<T: DeserializeOwned + Serialize>(file: &str, document: &Value) {
    let read: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let written = serde_json::to_value(read).unwrap();
    assert_eq!(plain(&written), plain(document), "{file}");
}

#[test]
fn every_example_is_read_and_nothing_is_lost() {
    let mut kinds: Vec<String> = Vec::new();
    for (file, document) in documents() {
        let kind = document["kind"].as_str().unwrap();
        match kind {
            "AIDeployment" => read_back::<AIDeployment>(&file, &document),
            "AIModelMap" => read_back::<AIModelMap>(&file, &document),
            "AutoNodeLabeler" => read_back::<AutoNodeLabeler>(&file, &document),
            _ => continue,
        }
        kinds.push(kind.to_owned());
    }
    for (kind, at_least) in [("AIDeployment", 14), ("AIModelMap", 5), ("AutoNodeLabeler", 2)] {
        let count = kinds.iter().filter(|found| *found == kind).count();
        assert!(count >= at_least, "{count} {kind}s in the examples");
    }
}

/// The shapes that make a difference to a parser are in the examples and stay there.
#[test]
fn the_examples_cover_the_shapes() {
    let documents = documents();
    let has = |what: &str, pointer: &str, wanted: &dyn Fn(&Value) -> bool| {
        let found = documents
            .iter()
            .any(|(_, document)| document.pointer(pointer).is_some_and(wanted));
        assert!(found, "no example has {what}");
    };
    has("an empty deployment", "/spec/deployment", &Value::is_null);
    has(
        "empty annotations",
        "/spec/deployment/annotations",
        &Value::is_null,
    );
    has("empty labels", "/spec/deployment/labels", &Value::is_null);
    has(
        "an integer quantity",
        "/spec/deployment/resources/requests/cpu",
        &Value::is_i64,
    );
    has(
        "a string quantity",
        "/spec/deployment/resources/limits/cpu",
        &Value::is_string,
    );
    has(
        "a model by reference",
        "/spec/models/0/modelMapRef",
        &Value::is_object,
    );
    has("a second, inline model", "/spec/models/1/uri", &Value::is_string);
    has("an endpoint without a port", "/spec/endpoint/0", &|it| {
        it.get("port").is_none()
    });
    has("a quantized variant", "/spec/vllm/0/quantization", &|it| {
        it == "awq"
    });
    has("a variant's data type", "/spec/vllm/0/dataType", &|it| {
        it == "float16"
    });
    has(
        "an engine's configuration",
        "/spec/localai/0/engineConfigFile",
        &Value::is_string,
    );
    has(
        "a startup probe override",
        "/spec/deployment/startupProbe/initialDelaySeconds",
        &|it| it == 300,
    );
    has(
        "a template",
        "/spec/deployment/template/spec/containers/0/livenessProbe",
        &Value::is_object,
    );
    for engine in ["localai", "vllm", "deepspeed-mii", "triton", "generic"] {
        has(engine, "/spec/engine/name", &|it| it == engine);
    }
    for operator in ["Exists", "In"] {
        has(operator, "/spec/matchExpression/operator", &|it| it == operator);
    }
}
