//! Where weights are kept.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// How many nodes and Pods may mount a claim.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum AccessMode {
    /// One node, any number of Pods on it. The default.
    #[default]
    ReadWriteOnce,
    /// Any number of nodes, none may write.
    ReadOnlyMany,
    /// Any number of nodes.
    ReadWriteMany,
    /// A single Pod in the whole cluster.
    ReadWriteOncePod,
}

impl AccessMode {
    /// The word that Kubernetes uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }
}

/// A volume for the weights, so that they are loaded once and not at every start of a container.
///
/// Either `size` (every LLMDeployment of the model gets a claim of its own) or `existingClaim`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.size) != has(self.existingClaim)")
        .message("set exactly one of size (a new claim per deployment) and existingClaim"),
    validation = Rule::new("has(self.size) || (!has(self.storageClassName) && !has(self.accessMode))")
        .message("storageClassName and accessMode describe a new claim; they need size and cannot go with existingClaim"),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || (has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName))")
        .message("storageClassName cannot be changed: a claim keeps its class; make a new model with the other class"),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || (has(self.accessMode) ? self.accessMode : 'ReadWriteOnce') == (has(oldSelf.accessMode) ? oldSelf.accessMode : 'ReadWriteOnce')")
        .message("accessMode cannot be changed: a claim keeps its mode; make a new model with the other mode"),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0")
        .message("size can grow but not shrink: Kubernetes cannot make a claim smaller"),
)]
pub struct WeightsStorage {
    /// Size of the claim that is made for every deployment of this model, for example `200Gi`. May grow later, never shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub size: Option<Quantity>,

    /// Storage class of the new claim. Default: the cluster's default class. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,

    /// Access mode of the new claim. Default: `ReadWriteOnce`, which keeps all replicas on one node. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<AccessMode>")]
    pub access_mode: Option<AccessMode>,

    /// A claim in the same namespace that exists already. It is never changed nor deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub existing_claim: Option<String>,

    /// Where the volume is mounted in the container. Default: `/models`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 512))]
    #[x_kube(validation = Rule::new("self.startsWith('/') && !self.contains(':')")
        .message("mountPath must be an absolute path without a colon, for example /models"))]
    pub mount_path: Option<String>,
}
