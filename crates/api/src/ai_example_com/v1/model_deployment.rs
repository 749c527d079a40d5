//! `ModelDeployment`: a model with a promise of latency, on Pods with stable names.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::shared::{CataloguedStatus, ServingOptions, schema};

/// Runs a model with a promise of latency.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "ai.example.com",
    version = "v1",
    kind = "ModelDeployment",
    plural = "modeldeployments",
    singular = "modeldeployment",
    shortname = "mdeploy",
    category = "llm-operator",
    namespaced,
    status = "CataloguedStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Runs a model that the catalogue knows by name, on Pods with stable names, and keeps a promise of latency.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')")
        .message("metadata.name becomes the name of a StatefulSet and of Services: at most 52 lower case letters, digits and hyphens, starting with a letter"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Latency", type_ = "string", json_path = ".spec.sla.maxLatency"),
    printcolumn(name = "Least", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.maxReplicas) || self.maxReplicas >= self.replicas")
        .message("maxReplicas must not be below replicas, which is the least number"),
    validation = Rule::new("!has(self.idleAfter) || has(self.sla)").message("idleAfter needs a promise beside it: sla"),
)]
pub struct ModelDeploymentSpec {
    /// Name of the model, as in `llm-operator models`, for example `llama-3-70b`.
    #[schemars(length(min = 1, max = 253))]
    pub model: String,

    /// Fewest replicas, 0 or more; the promise may ask for more. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// Most replicas. Default: four times `replicas`, at least 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: Option<i32>,

    /// After so long without a request there are no replicas until somebody asks for some, for example `15m`; 30 s to a week. Default: there always are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::idle")]
    pub idle_after: Option<String>,

    /// What is promised. Default: nothing, and the number of replicas is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,

    /// Type of the GPUs, for example `H100`: a family, or a value of the node label `nvidia.com/gpu.product`. Default: the cheapest of the cluster into which the model fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')")
        .message("the type of a GPU must be a family such as H100, or the value of the node label nvidia.com/gpu.product such as NVIDIA-H100-80GB-HBM3"))]
    pub gpu_type: Option<String>,

    /// Overrides of what follows from the catalogue and the GPUs. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingOptions>,
}

/// What is promised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.maxLatency) || has(self.timeToFirstToken) || has(self.minThroughput)")
        .message("say what is promised: maxLatency, timeToFirstToken or minThroughput"),
)]
pub struct Sla {
    /// Longest mean time per output token of a request, for example `100ms`. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub max_latency: Option<String>,

    /// Longest time until the first token, for example `1s`. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub time_to_first_token: Option<String>,

    /// Output tokens per second that all replicas together must be able to make. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub min_throughput: Option<i64>,

    /// Share of requests that must be within the times. Default: `99%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::attainment")]
    pub attainment: Option<String>,
}

const fn one() -> i32 {
    1
}
