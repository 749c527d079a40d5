//! The Deployment and its Pods, as an AIDeployment describes them.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceClaim, apimachinery::pkg::api::resource::Quantity};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{PodTemplate, pod_template};

/// The Deployment and its Pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// Labels of the Pods; they win over the template's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,

    /// Annotations of the Pods; they win over the template's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,

    /// The accelerator of a replica. Default: none; a request for `nvidia.com/gpu` needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<Accelerator>,

    /// Resources of the engine's container, over those of the template. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceSpec>,

    /// Only on nodes with these labels, over those of the template. Default: any node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,

    /// Number of replicas, 0 or more. Default: 1, or whatever an autoscaler of the Deployment says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,

    /// The Pod to start from: a `core/v1` Pod template. With `generic` its first container is the engine; with the others the engine's container follows the template's. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplate>,

    /// Changes to the engine's startup probe. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<ProbeOverride>,

    /// Changes to the engine's readiness probe. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<ProbeOverride>,

    /// Changes to the engine's liveness probe. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<ProbeOverride>,
}

/// An accelerator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accelerator {
    /// `CUDA`; others, such as `ROCm` and `OpenCL`, are reported as not supported in the status.
    pub interface: String,

    /// The oldest version that will do. Accepted and not used to select nodes, as in prem-operator. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<Version>,
}

/// A version of an accelerator's interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The number before the dot.
    pub major: i32,

    /// The number after the dot. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<i32>,
}

/// Resources of a container; quantities may be integers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpec {
    /// What is reserved, by resource name. Default: what `limits` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::quantities")]
    pub requests: Option<BTreeMap<String, Quantity>>,

    /// What may be used at most, by resource name. Default: no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::quantities")]
    pub limits: Option<BTreeMap<String, Quantity>>,

    /// Accepted and not used, as in prem-operator. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template::resource_claims")]
    pub claims: Option<Vec<ResourceClaim>>,
}

/// Changes to a probe; 0 and absent both mean "as the engine has it", but for `initialDelaySeconds`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeOverride {
    /// Seconds between the start of the container and the first probe, 0 included. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub initial_delay_seconds: Option<i32>,

    /// Seconds until an answer is late. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timeout_seconds: Option<i32>,

    /// Seconds between probes. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub period_seconds: Option<i32>,

    /// Successes in a row that count as one; Kubernetes wants 1 for startup and liveness. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub success_threshold: Option<i32>,

    /// Failures in a row that count as one. Default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failure_threshold: Option<i32>,

    /// Seconds that a container gets to end after it failed the probe. Default: the Pod's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
}
