//! `LLMDeployment`: how many replicas of an `LLMModel` run, where, and who may reach them.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Affinity, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::{apis::meta::v1::Condition, util::intstr::IntOrString},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::shared::AccessSpec;
use crate::shared::{ScalingSpec, ScalingStatus, State, schema};

/// Runs a model.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "llm.example.com",
    version = "v1alpha1",
    kind = "LLMDeployment",
    plural = "llmdeployments",
    shortname = "ldeploy",
    category = "llm-operator",
    namespaced,
    status = "LLMDeploymentStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Runs an LLMModel: how many replicas, where, and who may reach them.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("metadata.name becomes the name of a Service: at most 63 lower case letters, digits and hyphens, starting with a letter"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.modelRef"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "GPU", type_ = "string", json_path = ".status.gpu", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.scaling) || has(self.scaling.timeToFirstToken) || has(self.scaling.timePerOutputToken) || has(self.scaling.outputTokensPerSecond)")
        .message("say what is promised: timeToFirstToken, timePerOutputToken or outputTokensPerSecond")
        .field_path(".scaling"),
)]
pub struct LLMDeploymentSpec {
    /// Name of the LLMModel in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("modelRef must be the name of an LLMModel: lower case letters, digits, hyphens and dots"))]
    pub model_ref: String,

    /// Number of replicas, 0 or more; with `scaling` the least of them.
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// How fast answers must be; with it the number of replicas follows the load. Default: the number of replicas is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,

    /// Port of the Service, 1 to 65535, and of the container unless the model says otherwise. Default: 8080.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// How a new version replaces the old one. Default: rolling, one Pod more at a time, none taken down before its successor is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,

    /// Only on nodes with these labels. Default: any node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: Option<BTreeMap<String, String>>,

    /// Taints that are tolerated, beside the one that is named as the GPU resource. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<Toleration, 64>")]
    pub tolerations: Option<Vec<Toleration>>,

    /// Affinity of the Pods, beside what the model's GPUs require. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Affinity>")]
    pub affinity: Option<Affinity>,

    /// How replicas are spread; without a labelSelector a constraint means the replicas of this deployment. Default: Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<TopologySpreadConstraint, 16>")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,

    /// The Service. Default: type `ClusterIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,

    /// How many replicas a node drain may take at once. Default: from two replicas up, one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudgetSpec>,

    /// Who may reach the port. Default: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSpec>,

    /// Labels for the Pods beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('llm-operator.io/') && key != 'pod-template-hash' && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/part-of']))")
        .message("podLabels may not set llm-operator.io/*, pod-template-hash nor app.kubernetes.io/{name,instance,component,managed-by,part-of}: the operator selects Pods by them"))]
    pub pod_labels: Option<BTreeMap<String, String>>,

    /// Annotations for the Pods. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub pod_annotations: Option<BTreeMap<String, String>>,

    /// Priority class of the Pods. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Runtime class of the Pods, for example `nvidia`. Default: the node's own runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,

    /// Seconds between the decision to stop a replica and its kill; it goes on serving for the first five. Default: 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub termination_grace_period_seconds: Option<i64>,
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.type) || self.type != 'Recreate' || (!has(self.maxSurge) && !has(self.maxUnavailable))")
        .message("maxSurge and maxUnavailable belong to type RollingUpdate; remove them or the type"),
)]
pub struct Strategy {
    /// `RollingUpdate` or `Recreate`. Default: `RollingUpdate`; `Recreate` where the weights' claim admits a single Pod.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<StrategyType>")]
    pub type_: Option<StrategyType>,

    /// Pods above the number of replicas during an update: a number or a percentage. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<IntOrString>")]
    #[x_kube(validation = Rule::new("type(self) == int ? self >= 0 : self.matches('^[0-9]{1,4}%$')")
        .message("maxSurge must be a number of Pods such as 1, or a percentage such as \"25%\""))]
    pub max_surge: Option<IntOrString>,

    /// Pods that may be missing during an update: a number or a percentage. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<IntOrString>")]
    #[x_kube(validation = Rule::new("type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')")
        .message("maxUnavailable must be a number of Pods such as 1, or a percentage up to \"100%\""))]
    pub max_unavailable: Option<IntOrString>,
}

/// The two ways of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StrategyType {
    /// New Pods first, then the old ones go.
    #[default]
    RollingUpdate,
    /// All old Pods go, then the new ones come; the model does not serve in between.
    Recreate,
}

/// The Service in front of the replicas.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort` or `LoadBalancer`. Default: `ClusterIP`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<ServiceType>")]
    pub type_: Option<ServiceType>,

    /// Annotations, for example for a cloud's load balancer. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,

    /// Labels beside the operator's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('llm-operator.io/') && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/part-of']))")
        .message("labels may not set llm-operator.io/* nor app.kubernetes.io/{name,instance,component,managed-by,part-of}: the operator owns them"))]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Where the Service can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Inside the cluster.
    #[default]
    ClusterIP,
    /// On a port of every node as well.
    NodePort,
    /// Behind a load balancer of the cloud as well.
    LoadBalancer,
}

/// How many replicas may be missing while nodes are drained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.minAvailable) && has(self.maxUnavailable))")
        .message("set minAvailable or maxUnavailable, not both"),
    validation = Rule::new("!has(self.enabled) || self.enabled || (!has(self.minAvailable) && !has(self.maxUnavailable))")
        .message("enabled: false makes no budget; remove minAvailable and maxUnavailable"),
)]
pub struct DisruptionBudgetSpec {
    /// `false` makes no budget. Default: `true` from two replicas up, and always when a number is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Replicas that must stay: a number or a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<IntOrString>")]
    #[x_kube(validation = Rule::new("type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')")
        .message("minAvailable must be a number of Pods such as 1, or a percentage up to \"100%\""))]
    pub min_available: Option<IntOrString>,

    /// Replicas that may be missing: a number or a percentage. Default: 1, unless `minAvailable` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<IntOrString>")]
    #[x_kube(validation = Rule::new("type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')")
        .message("maxUnavailable must be a number of Pods such as 1, or a percentage up to \"100%\""))]
    pub max_unavailable: Option<IntOrString>,
}

/// What is observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LLMDeploymentStatus {
    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

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

    /// The model's own name (`spec.modelName` of the LLMModel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,

    /// The image that is rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// GPUs of one replica, for example `2 x H100`; absent without GPUs.
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

fn default_port() -> i32 {
    8080
}
