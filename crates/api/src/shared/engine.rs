//! What runs and what it needs: the parts of a model's spec that several kinds use.

use k8s_openapi::{api::core::v1::Probe, apimachinery::pkg::api::resource::Quantity};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The program in the image, which decides command, arguments, probes and how weights are loaded.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Any HTTP server that listens on `$PORT`. The image's own entry point and user are kept. The default.
    #[default]
    Generic,
    /// vLLM's OpenAI-compatible server, started as `vllm serve`.
    Vllm,
    /// Ollama; the model is pulled before the server starts.
    Ollama,
}

impl Engine {
    /// The word in the spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Vllm => "vllm",
            Self::Ollama => "ollama",
        }
    }
}

/// When the kubelet pulls the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// At every start of a container.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never; the node must have it.
    Never,
}

impl ImagePullPolicy {
    /// The word that Kubernetes uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// CPU and memory of one replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// CPUs that are reserved, for example `2` or `500m`; a replica may use more when the node has more. Default: none reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub cpu: Option<Quantity>,

    /// Memory that is reserved and is the limit as well, for example `4Gi`. Default: no reservation, no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub memory: Option<Quantity>,
}

/// GPUs of one replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(!has(self.product) && !has(self.minMemory)) || !has(self.resourceName) || self.resourceName.startsWith('nvidia.com/')")
        .message("product and minMemory select nodes by NVIDIA's node labels; with another resourceName use the deployment's nodeSelector"),
)]
pub struct GpuRequirement {
    /// GPUs per replica, 1 to 64. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub count: i32,

    /// The resource that a node advertises. Default: `nvidia.com/gpu`.
    #[serde(default = "nvidia_gpu")]
    #[schemars(length(min = 3, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')")
        .message("resourceName must be a qualified resource name such as nvidia.com/gpu or amd.com/gpu"))]
    pub resource_name: String,

    /// Only on nodes with this GPU: a family such as `H100`, `A100` or `L40S`, or the exact value of the node label
    /// `nvidia.com/gpu.product`. Default: any GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')")
        .message("product must be a GPU family such as H100, or the value of the node label nvidia.com/gpu.product such as NVIDIA-H100-80GB-HBM3"))]
    pub product: Option<String>,

    /// Only on nodes whose GPUs have at least this much memory each, for example `80Gi`. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub min_memory: Option<Quantity>,
}

/// Where the weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.credentialsSecret) || !(self.uri.startsWith('pvc://') || self.uri.startsWith('ollama://'))")
        .message("credentialsSecret has no use for a pvc:// or ollama:// source; remove it"),
)]
pub struct ModelSource {
    /// `hf://org/name[@revision]`, `pvc://claim[/path]`, `s3://bucket[/prefix]`, `oci://registry/image:tag`,
    /// `https://host/file` (or `http://`), `ollama://model[:tag]`.
    #[schemars(length(min = 6, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^(hf://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?(@[A-Za-z0-9][A-Za-z0-9._/-]*)?|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[^ ]*)?|s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[^ ]*)?|oci://[a-zA-Z0-9][^ ]*|https?://[A-Za-z0-9[][^ ]*|ollama://[A-Za-z0-9][A-Za-z0-9._:/-]*)$')")
        .message("uri must be one of hf://org/name[@revision], pvc://claim[/path], s3://bucket[/prefix], oci://image, http(s)://host/file, ollama://model[:tag]"))]
    pub uri: String,

    /// A Secret in the same namespace. Keys: `HF_TOKEN` for hf://; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// other variables of the AWS tools for s3://; `AUTHORIZATION` (the header's value) for http(s)://; for oci:// a
    /// Secret of type `kubernetes.io/dockerconfigjson`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
}

/// Probes instead of the engine's own ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probes {
    /// Startup probe. Default: the engine's, with a budget that follows the model's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Probe>")]
    pub startup: Option<Probe>,

    /// Readiness probe. Default: the engine's (generic: the port accepts connections).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Probe>")]
    pub readiness: Option<Probe>,

    /// Liveness probe. Default: the engine's (generic: none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Probe>")]
    pub liveness: Option<Probe>,
}

fn one() -> i32 {
    1
}

fn nvidia_gpu() -> String {
    "nvidia.com/gpu".into()
}
