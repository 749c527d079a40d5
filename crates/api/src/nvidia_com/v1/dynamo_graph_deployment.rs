//! `DynamoGraphDeployment`: a model over so many GPUs, with a promise of latency and throughput.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::shared::{CataloguedStatus, ServingOptions, schema};

/// Runs a model over the GPUs of one node per replica.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "nvidia.com",
    version = "v1",
    kind = "DynamoGraphDeployment",
    plural = "dynamographdeployments",
    singular = "dynamographdeployment",
    shortname = "dgd",
    category = "llm-operator",
    namespaced,
    status = "CataloguedStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Runs a model split over GPUs, with as many replicas as latency and throughput ask for.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')")
        .message("metadata.name becomes the name of a StatefulSet and of Services: at most 52 lower case letters, digits and hyphens, starting with a letter"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model.name"),
    printcolumn(name = "Latency-ms", type_ = "integer", json_path = ".spec.sla.max_latency_ms"),
    printcolumn(name = "Throughput", type_ = "integer", json_path = ".spec.sla.min_throughput"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1)
)]
#[x_kube(
    validation = Rule::new("!has(self.max_replicas) || !has(self.replicas) || self.max_replicas >= self.replicas")
        .message("max_replicas must not be below replicas, which is the least number"),
    validation = Rule::new("!has(self.idle_after) || has(self.sla)").message("idle_after needs a promise beside it: sla"),
)]
pub struct DynamoGraphDeploymentSpec {
    /// What is promised. Default: nothing, and there are `replicas` replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<DynamoSla>,

    /// The model and its GPUs.
    pub model: DynamoModel,

    /// Fewest replicas, 0 or more. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,

    /// Most replicas. Default: four times `replicas`, at least 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: Option<i32>,

    /// After so long without a request there are no replicas until somebody asks for some, for example `15m`; 30 s to a week. Default: there always are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::idle")]
    pub idle_after: Option<String>,

    /// Overrides of what follows from the catalogue and the GPUs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingOptions>,
}

/// What is promised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.max_latency_ms) || has(self.min_throughput)")
        .message("say what is promised: max_latency_ms or min_throughput"),
)]
pub struct DynamoSla {
    /// Longest mean time per output token of a request, in milliseconds. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600_000))]
    pub max_latency_ms: Option<i64>,

    /// Output tokens per second that all replicas together must be able to make. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub min_throughput: Option<i64>,
}

/// The model and its GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct DynamoModel {
    /// Name of the model, as in `llm-operator models`, for example `llama-3-70b`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The GPUs of one replica. Default: the fewest of the cheapest of the cluster into which the model fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

/// The GPUs of one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Placement {
    /// GPUs of one node over which each layer is split. Default: the fewest into which the model fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub tensor_parallel_size: Option<i32>,

    /// Type of the GPUs, for example `H100`: a family, or a value of the node label `nvidia.com/gpu.product`. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')")
        .message("the type of a GPU must be a family such as H100, or the value of the node label nvidia.com/gpu.product such as NVIDIA-H100-80GB-HBM3"))]
    pub gpu_type: Option<String>,
}
