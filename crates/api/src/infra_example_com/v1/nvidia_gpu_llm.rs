//! `NvidiaGpuLlm`: one Pod with Ollama and a model, installed, looked at or removed by `action`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{LocalObjectReference, Toleration},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Condition, util::intstr::IntOrString},
};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::shared::{AccessSpec, State, schema};

/// One Pod with Ollama and a model.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "infra.example.com",
    version = "v1",
    kind = "NvidiaGpuLlm",
    plural = "nvidiagpullms",
    singular = "nvidiagpullm",
    shortname = "gpullm",
    shortname = "llm",
    category = "llm-operator",
    namespaced,
    status = "NvidiaGpuLlmStatus",
    derive = "PartialEq",
    doc = "One Pod with Ollama and a model on NVIDIA GPUs: installed, looked at or removed by spec.action.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$')")
        .message("metadata.name becomes the value of a label: at most 63 lower case letters, digits, hyphens and dots"),
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".status.podName"),
    printcolumn(name = "GPU", type_ = "boolean", json_path = ".status.gpuAssigned"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.persistentStorage || !oldSelf.persistentStorage || self.llmName != oldSelf.llmName || quantity(string(self.storageSize)).compareTo(quantity(string(oldSelf.storageSize))) >= 0")
        .message("storageSize can grow but not shrink: Kubernetes cannot make a claim smaller"),
    validation = Rule::new("!self.persistentStorage || !oldSelf.persistentStorage || self.llmName != oldSelf.llmName || (has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName))")
        .message("storageClassName cannot be changed: a claim keeps its class; use another llmName"),
)]
pub struct NvidiaGpuLlmSpec {
    /// `install` runs the model; `status` reports on the Pod named `llmName`, whoever made it; `uninstall` removes what other resources of this kind made under `llmName`, and keeps it away while it exists.
    #[schemars(schema_with = "schema::bare::<Action>")]
    pub action: Action,

    /// Name of the Pod, and of its Service and claim.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("llmName becomes the name of a Pod and a Service: at most 63 lower case letters, digits and hyphens, starting with a letter"))]
    pub llm_name: String,

    /// The model: `tinyllama`, `llama2`, `mistral`, `phi` or `codellama`, with an optional tag such as `llama2:7b`. Default: `tinyllama`.
    #[serde(default = "default_model")]
    #[schemars(length(min = 1, max = 96))]
    #[x_kube(validation = Rule::new("self.matches('^(tinyllama|llama2|mistral|phi|codellama)(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,79})?$')")
        .message("model must be tinyllama, llama2, mistral, phi or codellama, with an optional tag, for example llama2:7b"))]
    pub model: String,

    /// Number of NVIDIA GPUs, 0 to 64; with 0 the model runs on CPUs. Default: 1.
    #[serde(default = "default_gpu_count")]
    #[schemars(range(min = 0, max = 64))]
    pub gpu_count: i32,

    /// Memory, reserved and at most. Default: `4Gi`.
    #[serde(default = "default_memory")]
    #[schemars(schema_with = "memory")]
    pub memory: Quantity,

    /// CPU cores that are reserved. Default: 2.
    #[serde(default = "default_cpu_cores")]
    #[schemars(schema_with = "cpu_cores")]
    pub cpu_cores: IntOrString,

    /// Whether a Service leads to the Pod. Default: false.
    #[serde(default)]
    pub service_enabled: bool,

    /// Port of the Service, 1 to 65535. Default: 11434.
    #[serde(default = "default_service_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub service_port: i32,

    /// Prompts that are sent once when the model is loaded, in order; the answers stand in the status and in the ConfigMap `<llmName>-answers`. A change of the spec sends them again. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "prompts")]
    pub prompts: Option<Vec<String>>,

    /// Whether models are kept on a claim, so that a new Pod does not pull them again. Default: false.
    #[serde(default)]
    pub persistent_storage: bool,

    /// Size of the claim. May grow later, never shrink. Default: `10Gi`.
    #[serde(default = "default_storage_size")]
    #[schemars(schema_with = "storage_size")]
    pub storage_size: Quantity,

    /// Storage class of the claim. Default: the cluster's default class. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,

    /// Whether the Pod goes on serving after its prompts; with false it ends, and its GPUs are free. Default: true.
    #[serde(default = "default_keep_alive")]
    pub keep_alive: bool,

    /// Image with Ollama. Default: the version of Ollama that this operator is tested with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Secrets for private registries. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<LocalObjectReference, 16>")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,

    /// Only on nodes with these labels. Default: any node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: Option<BTreeMap<String, String>>,

    /// Taints that are tolerated, beside the one of GPU nodes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<Toleration, 64>")]
    pub tolerations: Option<Vec<Toleration>>,

    /// Runtime class of the Pod, for example `nvidia`. Default: the node's own runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,

    /// Who may reach the port. Default: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSpec>,
}

/// What is to be done about the model named `llmName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Run it.
    Install,
    /// Report on it.
    Status,
    /// Remove it.
    Uninstall,
}

/// Where it stands, in the document's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It waits for something outside the resource.
    Pending,
    /// It is being worked on.
    InProgress,
    /// What was asked for is so.
    Ready,
    /// It does not come about until somebody acts.
    Failed,
    /// It is being deleted.
    Terminating,
}

/// What became of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PromptState {
    /// It is being sent, or answered.
    Sending,
    /// It was answered.
    Answered,
    /// It was not answered; the message says why.
    Failed,
    /// It may have been sent, and the operator ended before an answer was kept. It is not sent again.
    Interrupted,
}

/// One prompt and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptStatus {
    /// Place in `spec.prompts`, from 1.
    pub index: i32,

    /// The prompt, cut after 200 characters.
    pub prompt: String,

    /// `Sending`, `Answered`, `Failed` or `Interrupted`.
    #[schemars(schema_with = "schema::bare::<PromptState>")]
    pub state: PromptState,

    /// The answer, cut after 1000 characters; the whole text is in the ConfigMap `<llmName>-answers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,

    /// Seconds from sending to the end of the answer, for example `2.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<String>,

    /// Tokens of the answer per second of generating it, for example `38.5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<String>,

    /// Why there is no answer, or that it was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What is known about the model and its Pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NvidiaGpuLlmStatus {
    /// `Pending`, `InProgress`, `Ready`, `Failed` or `Terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Phase>")]
    pub phase: Option<Phase>,

    /// What is going on, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Name of the Pod, once it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,

    /// The model that is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_loaded: Option<String>,

    /// Whether the Pod runs on a node that gave it the GPUs it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_assigned: Option<bool>,

    /// Address of the Service inside the cluster, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The generation of the spec on which work has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_generation: Option<i64>,

    /// One word: `Ready`, `Loading`, `Progressing`, `Blocked`, `Invalid`, `Stopped` or `Terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<State>")]
    pub state: Option<State>,

    /// The reason that keeps it from being ready, or that of `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// Image of the Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// The prompts that were sent, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<PromptStatus>,

    /// The generation of the spec whose prompts these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_generation: Option<i64>,

    /// The generation of the spec whose Pod has ended as `keepAlive: false` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_generation: Option<i64>,

    /// `Accepted`, `Applied`, `Ready` and `PromptsAnswered`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

fn default_model() -> String {
    "tinyllama".to_owned()
}

const fn default_gpu_count() -> i32 {
    1
}

fn default_memory() -> Quantity {
    Quantity("4Gi".to_owned())
}

const fn default_cpu_cores() -> IntOrString {
    IntOrString::Int(2)
}

const fn default_service_port() -> i32 {
    11434
}

fn default_storage_size() -> Quantity {
    Quantity("10Gi".to_owned())
}

const fn default_keep_alive() -> bool {
    true
}

fn memory(generator: &mut SchemaGenerator) -> Schema {
    schema::positive_quantity(generator, "memory")
}

fn cpu_cores(generator: &mut SchemaGenerator) -> Schema {
    schema::positive_quantity(generator, "cpuCores")
}

fn storage_size(generator: &mut SchemaGenerator) -> Schema {
    schema::positive_quantity(generator, "storageSize")
}

/// At most 64 prompts of 1 to 8192 characters.
fn prompts(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": { "type": "string", "minLength": 1, "maxLength": 8192 },
    })
}
