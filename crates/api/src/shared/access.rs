//! Who may reach a serving port.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Who may reach the port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessSpec {
    /// The only ones that may connect, beside the operator: peers as in a NetworkPolicy. Default: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare_list::<NetworkPolicyPeer, 64>")]
    #[x_kube(validation = Rule::new("size(self) > 0")
        .message("an empty list would admit everyone; name a peer, or remove access.from"))]
    pub from: Option<Vec<NetworkPolicyPeer>>,
}
