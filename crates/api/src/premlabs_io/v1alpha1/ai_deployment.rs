//! AIDeployment: a model (or several) on one of five engines, with Service and Ingress.
//!
//! As lenient as the original: words of a choice are free strings here, and the controller says what is wrong with
//! them in `status.errMsg` and in the conditions. Refused is only what no cluster could ever run.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::EnvVar, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{ModelParameters, deployment::DeploymentSpec};
use crate::llm_example_com::v1alpha1::llm_deployment::DisruptionBudgetSpec;
use crate::shared::{AccessSpec, ScalingSpec, ScalingStatus, State, pod_template, schema};

/// Runs an engine with its models.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "premlabs.io",
    version = "v1alpha1",
    kind = "AIDeployment",
    plural = "aideployments",
    category = "llm-operator",
    namespaced,
    status = "AIDeploymentStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Runs an engine (LocalAI, vLLM, DeepSpeed-MII, Triton or any container) with its models, behind a Service and an Ingress.",
    scale(
        spec_replicas_path = ".spec.deployment.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Engine", type_ = "string", json_path = ".spec.engine.name"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.engine) || self.engine.name != 'generic' || !has(self.endpoint) || self.endpoint.all(one, !has(one.port) || (one.port >= 0 && one.port <= 65535))")
        .message("with engine generic the ports of endpoint must be between 0 and 65535; 0 means not said")
        .field_path(".endpoint"),
)]
pub struct AIDeploymentSpec {
    /// Hosts under which an Ingress serves the deployment. Default: none, and no Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Vec<Endpoint>>,

    /// The program that serves. Default: none, which the status reports as an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineSpec>,

    /// Environment variables of the engine's container; a later one wins over an earlier one of the same name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::env")]
    pub env: Option<Vec<EnvVar>>,

    /// Arguments after the engine's own. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,

    /// The Service. Default: without further labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ObjectLabels>,

    /// The Deployment and its Pods. Default: one replica, no GPU.
    // Stored as `{}` when absent or null: `kubectl scale` cannot write below a null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub deployment: Option<DeploymentSpec>,

    /// The Ingress, which exists when there is an endpoint. Default: without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,

    /// The models: exactly one with `vllm` and `deepspeed-mii`, any number with `localai` and `triton`, none with `generic`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<ModelEntry>>,

    /// How many replicas a node drain may take at once. Default: from two replicas up, one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudgetSpec>,

    /// How fast answers must be; with it the number of replicas follows the load, and `deployment.replicas` is the least of them. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,

    /// Who may reach the port. Default: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSpec>,
}

/// One host of the Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The host name.
    pub domain: String,

    /// With `generic`: the port of the container and the Service; 0 means not said. Other engines have their own and ignore it. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// The program that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineSpec {
    /// `localai`, `vllm`, `deepspeed-mii`, `triton` (also `tensorrt`) or `generic`; anything else is reported in the status.
    pub name: String,

    /// `imageTag` and `imageRepository` (all but `generic`), `dtype` and `quantization` (`vllm`). Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
}

/// Labels and annotations of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectLabels {
    /// Labels beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,

    /// Annotations beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// The Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    /// Labels beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,

    /// Annotations beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,

    /// Whether the hosts are served with the certificate in the Secret `<name>-tls`. Default: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,

    /// `ingressClassName` of the Ingress. Default: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
}

/// A model, described here, in an AIModelMap, or in both; what is said here wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelEntry {
    /// A variant of an AIModelMap that supplies what is not said here. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_map_ref: Option<ModelMapRef>,

    /// The model itself.
    #[serde(flatten)]
    pub model: ModelParameters,

    /// Accepted and not used, as in prem-operator. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
}

/// One variant of an AIModelMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelMapRef {
    /// Namespace of the map. Default: the AIDeployment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,

    /// Name of the map.
    pub name: String,

    /// Name of the variant in the list of the engine (`triton` looks into `tensor_rt`).
    pub variant: String,
}

/// What is observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AIDeploymentStatus {
    /// `Ready`, `NotReady` or `Failed`, as prem-operator says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,

    /// What is wrong with the spec or with what it refers to; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err_msg: Option<String>,

    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Pods that are wanted: the spec's number, or that of whoever scales the Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,

    /// Pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Pods that serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// Label selector of the Pods, for `/scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// One word; the condition `Ready` has the sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<State>")]
    pub state: Option<State>,

    /// The reason of the condition that keeps it from being ready, else of `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// The Service's address inside the cluster, for example `http://simple.default.svc:8080`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// The Ingress' addresses, for example `http://foo.127.0.0.1.nip.io/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,

    /// The models that are served, by the URI that was resolved, or by map and variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,

    /// The image that is rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// GPUs of one replica, for example `1 x GPU`; absent without GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,

    /// How many replicas were decided on, and why; only with `spec.scaling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingStatus>,

    /// `Accepted`, `Applied` and `Ready`; with scaling also `ScalingActive` and `LatencyObservable`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
