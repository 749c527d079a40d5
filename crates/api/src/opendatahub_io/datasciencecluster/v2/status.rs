//! What is known about a `DataScienceCluster`, as far as it is written or read here.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::opendatahub_io::components::v1alpha1::ChartRelease;

/// What is known about a `DataScienceCluster`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataScienceClusterStatus {
    /// `Ready` or `Not Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,

    /// The generation of the spec with which it was Ready last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `ProvisioningSucceeded`, `ComponentsReady`, and one `<Kind>Ready` per component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<DscCondition>,

    /// The components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<ComponentsStatus>,

    /// What other operators say.
    #[serde(flatten)]
    #[schemars(with = "Map<String, Value>")]
    pub others: Map<String, Value>,
}

/// A condition as Open Data Hub has it: with a severity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DscCondition {
    /// Its name.
    #[serde(rename = "type")]
    pub type_: String,

    /// `True`, `False` or `Unknown`.
    pub status: String,

    /// One word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// `Info` when a `False` is no trouble; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,

    /// The generation that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// When `status` changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Time>,

    /// When it was looked at last; other operators write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_heartbeat_time: Option<Timestamp>,
}

/// The components.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct ComponentsStatus {
    /// llm-d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llmd: Option<LlmdComponentStatus>,

    /// Components of other operators.
    #[serde(flatten)]
    #[schemars(with = "Map<String, Value>")]
    pub others: Map<String, Value>,
}

/// llm-d as a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LlmdComponentStatus {
    /// `Managed` or `Removed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_state: Option<String>,

    /// Its releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ChartRelease>,
}

fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<Vec<DscCondition>>();
    schema.insert("x-kubernetes-list-type".into(), "atomic".into());
    schema
}

fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}
