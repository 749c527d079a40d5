//! Every kind that serves a model, as documents, and the pure way from documents to objects.

use std::path::Path;

use controllers::render::{Input, render};
use diagnosis::facts::NodeFacts;
use k8s_openapi::api::core::v1::Node;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::common::{repository_file, root};

/// Kinds whose objects are rendered, by group and kind.
pub const SERVING: [(&str, &str); 6] = [
    ("llm.example.com/v1alpha1", "LLMDeployment"),
    ("premlabs.io/v1alpha1", "AIDeployment"),
    ("infra.example.com/v1", "NvidiaGpuLlm"),
    ("ai.example.com/v1", "LLMModel"),
    ("ai.example.com/v1", "ModelDeployment"),
    ("nvidia.com/v1", "DynamoGraphDeployment"),
];

/// One file of the examples: its documents are applied together.
#[derive(Clone, Debug)]
pub struct Base {
    pub file: String,
    pub documents: Vec<Value>,
}

/// The examples of all families, and what they leave out.
pub fn bases() -> Vec<Base> {
    let mut bases = Vec::new();
    for folder in ["llm", "prem", "infra", "ai", "crd-operator"] {
        let folder = format!("examples/{folder}");
        let mut files: Vec<String> = std::fs::read_dir(root().join(&folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "yaml"))
            .collect();
        files.sort();
        for file in files {
            let file = format!("{folder}/{file}");
            let all: Vec<Value> = serde_saphyr::from_multiple(&repository_file(&file)).unwrap();
            let documents: Vec<Value> = all.into_iter().filter(is_ours).collect();
            if !documents.is_empty() {
                bases.push(Base { file, documents });
            }
        }
    }
    // Deployments of examples stand in a file of their own, beside their model.
    let models: Vec<Value> = bases.iter().flat_map(|base| base.documents.clone()).collect();
    for base in &mut bases {
        let missing: Vec<Value> = models
            .iter()
            .filter(|model| is_referred_to(&base.documents, model) && !base.documents.contains(model))
            .cloned()
            .collect();
        base.documents.extend(missing);
    }
    bases.extend(further());
    bases
}

fn is_ours(document: &Value) -> bool {
    let version = document["apiVersion"].as_str().unwrap_or_default();
    let kinds = ["LLMModel", "AIModelMap"];
    let kind = document["kind"].as_str().unwrap_or_default();
    SERVING.iter().any(|(group, _)| *group == version)
        && (kinds.contains(&kind) || SERVING.iter().any(|(_, serving)| *serving == kind))
}

fn is_referred_to(documents: &[Value], model: &Value) -> bool {
    let same_group = |document: &&Value| document["apiVersion"] == model["apiVersion"];
    documents.iter().filter(same_group).any(|document| {
        document["spec"]["modelRef"] == model["metadata"]["name"]
            || (model["kind"] == "AIModelMap"
                && document["spec"]["models"].to_string().contains("modelMapRef"))
    })
}

/// Sources and engines that no example has.
fn further() -> Vec<Base> {
    let pair = |name: &str, model: Value, deployment: Value| {
        let of = |kind: &str, spec: Value| json!({"apiVersion": "llm.example.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        Base {
            file: format!("({name})"),
            documents: vec![of("LLMModel", model), of("LLMDeployment", deployment)],
        }
    };
    let deployment = |name: &str| {
        json!({"modelRef": name, "replicas": 2, "access": {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]},
            "podLabels": {"team": "a"}, "podAnnotations": {"note": "b"}})
    };
    let vllm = |uri: &str| {
        json!({"modelName": "qwen", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm", "gpu": {},
            "source": {"uri": uri, "secretRef": {"name": "token"}}, "resources": {"memory": "16Gi"},
            "storage": {"size": "50Gi"}})
    };
    let generic = json!({"modelName": "small", "image": "your-registry/gpt-small:v1", "port": 9000,
        "source": {"uri": "https://models.example.com/small/model.gguf"}, "storage": {"size": "5Gi"},
        "env": [{"name": "MODE", "value": "fast"}], "args": ["--verbose"]});
    vec![
        pair("from-s3", vllm("s3://bucket/some/prefix"), deployment("from-s3")),
        pair(
            "from-hub",
            vllm("hf://Qwen/Qwen2.5-0.5B-Instruct"),
            deployment("from-hub"),
        ),
        pair("from-web", generic, deployment("from-web")),
    ]
}

/// The objects that would be applied, or why not. `None`: the documents are not even of their types.
pub fn rendered(documents: &[Value]) -> Option<Result<Vec<Value>, String>> {
    let mut input = Input {
        operator_namespace: "llm-system".to_owned(),
        nodes: vec![NodeFacts::from(&gpu_node())],
        ..Input::default()
    };
    for document in documents {
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        let key = ("default".to_owned(), name);
        let version = document["apiVersion"].as_str().unwrap();
        match (version, document["kind"].as_str().unwrap()) {
            ("llm.example.com/v1alpha1", "LLMModel") => {
                input.models.insert(key, std::sync::Arc::new(typed(document)?));
            }
            ("premlabs.io/v1alpha1", "AIModelMap") => {
                input
                    .model_maps
                    .insert(key, std::sync::Arc::new(typed(document)?));
            }
            (_, "LLMDeployment") => input.deployments.push(typed(document)?),
            (_, "AIDeployment") => input.ai_deployments.push(typed(document)?),
            (_, "NvidiaGpuLlm") => input.gpu_llms.push(typed(document)?),
            (_, "LLMModel") => input.ai_models.push(typed(document)?),
            (_, "ModelDeployment") => input.model_deployments.push(typed(document)?),
            (_, "DynamoGraphDeployment") => input.dynamo_deployments.push(typed(document)?),
            other => panic!("{other:?}"),
        }
    }
    let mut objects = Vec::new();
    for outcome in render(&input) {
        match outcome {
            Ok(one) => objects.extend(one.objects),
            Err(error) => return Some(Err(error.to_string())),
        }
    }
    Some(Ok(objects))
}

/// A node on which every example finds its GPUs.
fn gpu_node() -> Node {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "gpu-0", "labels": {
            "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559"}},
        "status": {"allocatable": {"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": "8", "pods": "110"}},
    });
    serde_json::from_value(node).unwrap()
}

fn typed<K: DeserializeOwned>(document: &Value) -> Option<K> {
    let mut document = document.clone();
    document["metadata"]["namespace"] = json!("default");
    serde_json::from_value(document).ok()
}

/// Pod templates among objects, and Pods, each with its object's kind and name.
pub fn pods(objects: &[Value]) -> Vec<(String, Value)> {
    let found = objects.iter().filter_map(|object| {
        let pod = match object["kind"].as_str()? {
            "Pod" => json!({"metadata": object["metadata"], "spec": object["spec"]}),
            "Deployment" | "StatefulSet" => object["spec"]["template"].clone(),
            _ => return None,
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        Some((name.to_owned(), pod))
    });
    found.collect()
}

/// All containers of a Pod template.
pub fn containers(pod: &Value) -> Vec<Value> {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|field| pod["spec"][field].as_array().cloned().unwrap_or_default())
        .collect()
}
