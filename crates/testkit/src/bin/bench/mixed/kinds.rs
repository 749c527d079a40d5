//! One resource of every kind that has children or statuses of its own, in any number.
//!
//! In: a number. Out: objects to create, and where. `Llmd` and `DataScienceCluster` are missing: there is one of each in a
//! cluster, and their work is Helm's. Nothing is promised of latency, so that the time is that of reconciles alone.

use serde_json::{Value, json};

use crate::workload::NAMESPACE;

/// A kind to measure with.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The minimal client's operation, and the first letters of the names; four of them.
    pub word: &'static str,
    /// Group and version.
    pub api_version: &'static str,
    /// The kind's own name.
    pub title: &'static str,
    /// The plural.
    pub plural: &'static str,
    /// The spec of the resource of this name.
    pub spec: fn(&str) -> Value,
}

/// Every kind; what a resource refers to comes before it, under the same number.
pub const KINDS: [Kind; 9] = [
    Kind {
        word: "gpts",
        api_version: "llm.example.com/v1alpha1",
        title: "LLMModel",
        plural: "llmmodels",
        spec: |_| {
            json!({
                "modelName": "GPT-Small",
                "image": "your-registry/gpt-small:v1",
                "resources": {"cpu": "100m", "memory": "1Gi"},
            })
        },
    },
    Kind {
        word: "chat",
        api_version: "llm.example.com/v1alpha1",
        title: "LLMDeployment",
        plural: "llmdeployments",
        spec: |name| json!({"modelRef": sibling(name, "gpts"), "replicas": 1, "port": 8080}),
    },
    Kind {
        word: "maps",
        api_version: "premlabs.io/v1alpha1",
        title: "AIModelMap",
        plural: "aimodelmaps",
        spec: |_| json!({"localai": [{"variant": "base", "uri": "tinyllama-chat"}]}),
    },
    Kind {
        word: "prem",
        api_version: "premlabs.io/v1alpha1",
        title: "AIDeployment",
        plural: "aideployments",
        spec: |name| {
            json!({
                "engine": {"name": "localai"},
                "endpoint": [{"domain": format!("{name}.example.com"), "port": 8080}],
                "models": [{"modelMapRef": {"name": sibling(name, "maps"), "variant": "base"}}],
            })
        },
    },
    Kind {
        word: "node",
        api_version: "premlabs.io/v1alpha1",
        title: "AutoNodeLabeler",
        plural: "autonodelabelers",
        spec: |name| {
            json!({
                "matchExpression": {"key": "nvidia.com/gpu.product", "operator": "Exists"},
                "labels": {format!("bench.example.com/{name}"): "yes"},
            })
        },
    },
    Kind {
        word: "pods",
        api_version: "infra.example.com/v1",
        title: "NvidiaGpuLlm",
        plural: "nvidiagpullms",
        spec: |name| json!({"action": "install", "llmName": name, "serviceEnabled": true}),
    },
    Kind {
        word: "name",
        api_version: "ai.example.com/v1",
        title: "LLMModel",
        plural: "llmmodels",
        spec: |_| json!({"modelName": "qwen2.5-32b", "replicas": 3, "gpuType": "H100"}),
    },
    Kind {
        word: "slas",
        api_version: "ai.example.com/v1",
        title: "ModelDeployment",
        plural: "modeldeployments",
        spec: |_| json!({"model": "qwen2.5-32b", "replicas": 4}),
    },
    Kind {
        word: "dyna",
        api_version: "nvidia.com/v1",
        title: "DynamoGraphDeployment",
        plural: "dynamographdeployments",
        spec: |_| {
            json!({"model": {
                "name": "qwen2.5-32b",
                "placement": {"tensor_parallel_size": 4, "gpu_type": "H100"},
            }})
        },
    },
];

impl Kind {
    /// Name of resource `number`.
    pub fn name(&self, number: usize) -> String {
        format!("{}-{number:05}", self.word)
    }

    /// Where resources of the kind are.
    pub fn path(&self) -> String {
        format!(
            "/apis/{}/namespaces/{NAMESPACE}/{}",
            self.api_version, self.plural
        )
    }

    /// Resource `number`.
    pub fn object(&self, number: usize) -> Value {
        let name = self.name(number);
        json!({
            "apiVersion": self.api_version,
            "kind": self.title,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": (self.spec)(&name),
        })
    }
}

/// The name of the same number with another kind's letters.
fn sibling(name: &str, word: &str) -> String {
    let number = name.rsplit('-').next().unwrap_or_default();
    format!("{word}-{number}")
}
