//! `LLMModel`: replicas of a model that the catalogue knows by name.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::shared::{CataloguedStatus, ScalingSpec, ServingOptions};

/// Runs a model by its name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "ai.example.com",
    version = "v1",
    kind = "LLMModel",
    plural = "llmmodels",
    singular = "llmmodel",
    shortname = "llm",
    category = "llm-operator",
    namespaced,
    status = "CataloguedStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Runs a model that the catalogue knows by name: a name, a number of replicas and a type of GPU are enough.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("metadata.name becomes the name of a Service: at most 63 lower case letters, digits and hyphens, starting with a letter; the model's name may stand in spec.modelName"),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.sizing.model"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.scaling) || has(self.scaling.timeToFirstToken) || has(self.scaling.timePerOutputToken) || has(self.scaling.outputTokensPerSecond)")
        .message("say what is promised: timeToFirstToken, timePerOutputToken or outputTokensPerSecond")
        .field_path(".scaling"),
)]
pub struct LLMModelSpec {
    /// Name of the model, as in `llm-operator models`, for example `llama-3-70b`. Default: the resource's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub model_name: Option<String>,

    /// Number of replicas, 0 or more; with `scaling` the least of them. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// Type of the GPUs, for example `H100`: a family, or a value of the node label `nvidia.com/gpu.product`. Default: the cheapest of the cluster into which the model fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')")
        .message("the type of a GPU must be a family such as H100, or the value of the node label nvidia.com/gpu.product such as NVIDIA-H100-80GB-HBM3"))]
    pub gpu_type: Option<String>,

    /// How fast answers must be; with it the number of replicas follows the load. Default: the number of replicas is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,

    /// Overrides of what follows from the catalogue and the GPUs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingOptions>,
}

const fn one() -> i32 {
    1
}
