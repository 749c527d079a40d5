//! `LLMModel`: what is served. It makes no objects by itself; an `LLMDeployment` that names it does.

use k8s_openapi::{
    api::core::v1::{EnvFromSource, EnvVar, LocalObjectReference, PodSecurityContext, SecurityContext},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::shared::{
    Engine, GpuRequirement, ImagePullPolicy, ModelSource, Probes, Resources, State, WeightsStorage, schema,
};

/// A model: its image, what it needs and where its weights are.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "llm.example.com",
    version = "v1alpha1",
    kind = "LLMModel",
    plural = "llmmodels",
    shortname = "lmodel",
    category = "llm-operator",
    namespaced,
    status = "LLMModelStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A model to serve: its image, what it needs and where its weights are. An LLMDeployment runs it.",
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.modelName"),
    printcolumn(name = "Engine", type_ = "string", json_path = ".spec.engine"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu", priority = 1),
    printcolumn(
        name = "Source",
        type_ = "string",
        json_path = ".spec.source.uri",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.source) || !self.source.uri.startsWith('ollama://') || self.engine == 'ollama'")
        .message("an ollama:// source needs engine: ollama"),
    validation = Rule::new("self.engine != 'ollama' || !has(self.source) || self.source.uri.startsWith('ollama://') || self.source.uri.startsWith('hf://') || self.source.uri.startsWith('pvc://')")
        .message("engine ollama loads from ollama://, hf:// (GGUF repositories) or pvc:// (a directory that Ollama has filled)"),
    validation = Rule::new("!has(self.source) || !self.source.uri.startsWith('pvc://') || !has(self.storage)")
        .message("a pvc:// source already is the volume; remove storage"),
    validation = Rule::new("!has(self.source) || !self.source.uri.startsWith('oci://') || !has(self.storage)")
        .message("an oci:// source is mounted as a volume by itself; remove storage"),
)]
pub struct LLMModelSpec {
    /// Name of the model, as clients ask for it: `MODEL_NAME` in the container, and the served name with vLLM.
    #[schemars(length(min = 1, max = 253))]
    pub model_name: String,

    /// Container image that serves the model.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^[^ \\\\t\\\\r\\\\n]+$')")
        .message("image must be a container image reference without blanks"))]
    pub image: String,

    /// CPU and memory of one replica. Default: none reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// GPUs of one replica. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuRequirement>,

    /// The program in the image. Default: `generic`.
    #[serde(default)]
    pub engine: Engine,

    /// Where the weights come from. Default: they are in the image; for vLLM `hf://<modelName>` if that is `org/name`, for Ollama `ollama://<modelName>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ModelSource>,

    /// A volume for the weights. Default: none; weights are then loaded again by every new Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<WeightsStorage>,

    /// Environment variables of the container; they win over the operator's, but for `PORT`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<EnvVar, 128>")]
    pub env: Option<Vec<EnvVar>>,

    /// `ConfigMaps` and Secrets whose keys become environment variables. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<EnvFromSource, 64>")]
    pub env_from: Option<Vec<EnvFromSource>>,

    /// Arguments. With `generic`, or together with `command`, they stand alone; otherwise they follow the engine's own. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub args: Option<Vec<String>>,

    /// Replaces the engine's command and arguments. Default: `generic` the image's entry point, else the engine's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub command: Option<Vec<String>>,

    /// Port on which the container listens, 1 to 65535; also in `PORT`. Default: the LLMDeployment's `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Probes instead of the engine's own. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<Probes>,

    /// Security context of the container; its fields win over the operator's. Default: no privilege escalation, and the user of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<SecurityContext>")]
    pub security_context: Option<SecurityContext>,

    /// Security context of the Pod; its fields win over the operator's. Default: seccomp `RuntimeDefault`, and the group of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<PodSecurityContext>")]
    pub pod_security_context: Option<PodSecurityContext>,

    /// Secrets for private registries. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<LocalObjectReference, 16>")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,

    /// When the image is pulled. Default: Kubernetes' own rule (`Always` for the tag `latest`, else `IfNotPresent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<ImagePullPolicy>")]
    pub image_pull_policy: Option<ImagePullPolicy>,
}

/// What is known about the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LLMModelStatus {
    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// One word: `Ready` (can be deployed) or `Invalid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<State>")]
    pub state: Option<State>,

    /// GPUs of one replica, for example `4 x A100`; absent without GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,

    /// Whether the model fits into the memory of the GPUs it asks for, as one sentence with the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<String>,

    /// `Accepted`: the spec is valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
