//! AIModelMap: one model as each engine needs it, in variants. It serves nothing; AIDeployments refer to it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::shared::{State, schema};

/// The variants of a model, by engine.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "premlabs.io",
    version = "v1alpha1",
    kind = "AIModelMap",
    plural = "aimodelmaps",
    category = "llm-operator",
    namespaced,
    status = "AIModelMapStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One model as each engine needs it: where it is, its data type and quantization, and the engine's configuration file. AIDeployments refer to it.",
    printcolumn(name = "Variants", type_ = "integer", json_path = ".status.variants"),
    printcolumn(name = "Used-By", type_ = "integer", json_path = ".status.usedBy"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].reason",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct AIModelMapSpec {
    /// Variants for LocalAI. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localai: Option<Vec<ModelVariant>>,

    /// Variants for vLLM. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vllm: Option<Vec<ModelVariant>>,

    /// Variants for DeepSpeed-MII. Default: none.
    #[serde(rename = "deepspeed-mii", default, skip_serializing_if = "Option::is_none")]
    pub deepspeed_mii: Option<Vec<ModelVariant>>,

    /// Variants for Triton with TensorRT. Default: none.
    #[serde(rename = "tensor_rt", default, skip_serializing_if = "Option::is_none")]
    pub tensor_rt: Option<Vec<ModelVariant>>,

    /// Namespaces beside its own whose AIDeployments may refer to this map; an empty list admits none. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<Vec<String>>,
}

/// A model for one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelVariant {
    /// Name of the variant, by which AIDeployments refer to it.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub variant: String,

    /// The model itself.
    #[serde(flatten)]
    pub model: ModelParameters,
}

/// What an engine needs to know about a model. An empty string means the same as an absent one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelParameters {
    /// Where the model is, in the engine's own notation: a Hugging Face name, a name of LocalAI's gallery, or an `http` URL. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,

    /// How it is quantized, for example `awq` or `gptq`. Default: the engine decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,

    /// Type of its numbers: `int4`, `int8`, `int16`, `int32`, `bfloat16`, `float16` or `float32`. Default: the engine decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,

    /// The engine's own configuration file of the model, for example a LocalAI model description. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_config_file: Option<String>,
}

/// What is known about the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AIModelMapStatus {
    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// One word: `Ready` (can be referred to), `Blocked` or `Invalid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<State>")]
    pub state: Option<State>,

    /// Variants over all engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<i32>,

    /// AIDeployments that refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<i32>,

    /// `Accepted` (the spec is valid) and `Applied` (its `ConfigMap` is as desired).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
