//! `Llmd`: llm-d's three charts as releases in one namespace.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{ChartBlock, LlmdStatus, Remediation};
use crate::shared::schema;

/// Which of llm-d's charts run, and how.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "components.platform.opendatahub.io",
    version = "v1alpha1",
    kind = "Llmd",
    plural = "llmds",
    singular = "llmd",
    category = "llm-operator",
    status = "LlmdStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "llm-d on this cluster: its charts llm-d-infra, inferencepool and llm-d-modelservice as Helm releases in one namespace. There is one, named default-llm-d.",
    validation = Rule::new("self.metadata.name == 'default-llm-d'").message("Llmd name must be default-llm-d"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".status.namespace"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct LlmdSpec {
    /// Chart llm-d-modelservice: the Pods that serve the model. Default: not deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_service: Option<ChartBlock>,

    /// Chart llm-d-infra: the gateway. Default: not deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infra: Option<ChartBlock>,

    /// Chart inferencepool of the Gateway API Inference Extension: the pool and its endpoint picker. Default: not deployed.
    #[serde(default, rename = "gatewayAPI", skip_serializing_if = "Option::is_none")]
    pub gateway_api: Option<ChartBlock>,

    /// Namespace of all releases, created if it is missing. Default: `llm-d`. When it changes, the releases are uninstalled in
    /// the old one and installed in the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("namespace must be the name of a namespace: lower case letters, digits and hyphens"))]
    pub namespace: Option<String>,

    /// How long one step of one release may take: fetching a chart, installing it, upgrading it until its Pods serve. Default: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub timeout: Option<String>,

    /// What follows on a failed step. Default: three more tries, with a rollback or an uninstallation between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<Remediation>,
}
