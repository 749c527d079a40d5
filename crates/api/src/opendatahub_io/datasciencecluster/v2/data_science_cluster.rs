//! `DataScienceCluster`: of its components only `llmd` is ours.

use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DataScienceClusterStatus;
use crate::opendatahub_io::components::v1alpha1::LlmdSpec;

/// Which components of the platform run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "datasciencecluster.opendatahub.io",
    version = "v2",
    kind = "DataScienceCluster",
    plural = "datascienceclusters",
    singular = "datasciencecluster",
    shortname = "dsc",
    category = "llm-operator",
    status = "DataScienceClusterStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The components of a data science platform. This operator acts on spec.components.llmd, and leaves all others alone.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    )
)]
pub struct DataScienceClusterSpec {
    /// The components. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,

    /// Fields of other operators.
    #[serde(flatten)]
    #[schemars(with = "Map<String, Value>")]
    pub others: Map<String, Value>,
}

/// The components.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct Components {
    /// llm-d. Default: `Removed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llmd: Option<DscLlmd>,

    /// Components of other operators.
    #[serde(flatten)]
    #[schemars(with = "Map<String, Value>")]
    pub others: Map<String, Value>,
}

/// llm-d as a component: whether, and the fields of [`LlmdSpec`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DscLlmd {
    /// `Managed` deploys, `Removed` uninstalls. Default: `Removed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "management_state")]
    pub management_state: Option<String>,

    /// As in an `Llmd`.
    #[serde(flatten)]
    pub spec: LlmdSpec,
}

fn management_state(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Managed", "Removed"] })
}
