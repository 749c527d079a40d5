//! What a person may say about a model that the catalogue would decide otherwise, and what was decided.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, LocalObjectReference, Toleration};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{AccessSpec, Engine, Resources, WeightsStorage, pod_template, schema};
use crate::llm_example_com::v1alpha1::llm_deployment::DisruptionBudgetSpec;

/// Everything that follows from the model catalogue and the GPUs, each field overriding one decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServingOptions {
    /// `vllm` or `ollama`. Default: the catalogue's, which is mostly `vllm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Engine>")]
    pub engine: Option<Engine>,

    /// Image of the engine. Default: the version that this operator is tested with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Another place for the model's weights, for example `hf://org/name` or `pvc://claim/path`. Default: the catalogue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub source: Option<String>,

    /// GPUs per replica, over which the model is split. Default: the fewest into which it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub gpus: Option<i32>,

    /// Longest sequence in tokens, prompt and answer together. Default: the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256, max = 16_777_216))]
    pub context_length: Option<i64>,

    /// Sequences of that length that must fit at once. Default: see docs/models.md.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub concurrency: Option<i32>,

    /// `bf16`, `fp8`, `awq` and others, as the catalogue has them for the model. Default: as published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub quantization: Option<String>,

    /// CPU and memory of a replica. Default: from the size of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Where weights are kept. Default: on the node's disk, loaded again by every Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<WeightsStorage>,

    /// Secret with the token of a gated model in the key `token`. Default: `hf-token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub token_secret: Option<String>,

    /// Arguments of the engine after its own. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub args: Option<Vec<String>>,

    /// Variables of the engine's container. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::env")]
    pub env: Option<Vec<EnvVar>>,

    /// Port of the Service and of the engine, 1 to 65535. Default: 8000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Only on nodes with these labels. Default: any node with the GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: Option<BTreeMap<String, String>>,

    /// Taints that are tolerated, beside the one of GPU nodes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<Toleration, 64>")]
    pub tolerations: Option<Vec<Toleration>>,

    /// Secrets for private registries. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<LocalObjectReference, 16>")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,

    /// Priority class of the Pods. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Runtime class of the Pods, for example `nvidia`. Default: the node's own runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,

    /// Seconds between the decision to stop a replica and its kill. Default: 60; with a promise the time of an answer of 4096 tokens at the promised speed and 30 more, in steps of 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub termination_grace_period_seconds: Option<i64>,

    /// How many replicas a node drain may take at once. Default: from two replicas up, one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudgetSpec>,

    /// Who may reach the port. Default: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSpec>,
}

/// What was chosen for the model, and why it fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizingStatus {
    /// The model's name in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,

    /// Where the weights come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,

    /// The engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,

    /// How the weights are stored, for example `bf16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,

    /// GPUs of one replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<i32>,

    /// Their type, as it was chosen; it is kept for as long as a node has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<String>,

    /// Longest sequence in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<i64>,

    /// Digest of what was asked for; the choice is made anew when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,

    /// The arithmetic: what was chosen, what it needs, what was free, what would fit otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}
