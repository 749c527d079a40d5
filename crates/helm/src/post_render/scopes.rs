//! Which kinds have no namespace.
//!
//! In: what the caller knows, what the chart itself defines. Out: whether an object has no namespace. Kinds of which nobody
//! knows are taken to have one.

use std::collections::BTreeSet;

use super::node::Node;

/// Kinds without namespace of Kubernetes itself and of the Gateway API.
const KNOWN: [&str; 35] = [
    "APIService.apiregistration.k8s.io",
    "CSIDriver.storage.k8s.io",
    "CSINode.storage.k8s.io",
    "CertificateSigningRequest.certificates.k8s.io",
    "ClusterRole.rbac.authorization.k8s.io",
    "ClusterRoleBinding.rbac.authorization.k8s.io",
    "ClusterTrustBundle.certificates.k8s.io",
    "ComponentStatus",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "DeviceClass.resource.k8s.io",
    "DeviceTaintRule.resource.k8s.io",
    "FlowSchema.flowcontrol.apiserver.k8s.io",
    "GatewayClass.gateway.networking.k8s.io",
    "IPAddress.networking.k8s.io",
    "IngressClass.networking.k8s.io",
    "MutatingAdmissionPolicy.admissionregistration.k8s.io",
    "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass.scheduling.k8s.io",
    "PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io",
    "ResourceSlice.resource.k8s.io",
    "RuntimeClass.node.k8s.io",
    "ServiceCIDR.networking.k8s.io",
    "StorageClass.storage.k8s.io",
    "StorageVersion.internal.apiserver.k8s.io",
    "StorageVersionMigration.storagemigration.k8s.io",
    "TokenReview.authentication.k8s.io",
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io",
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    "VolumeAttachment.storage.k8s.io",
    "VolumeAttributesClass.storage.k8s.io",
];

/// What is known.
pub(super) struct Scopes<'a> {
    told: &'a BTreeSet<String>,
    defined: BTreeSet<String>,
}

impl<'a> Scopes<'a> {
    /// From what the caller knows and what the objects define.
    pub(super) fn new(told: &'a BTreeSet<String>, documents: &[Node]) -> Self {
        let defined = documents.iter().filter_map(defined).collect();
        Self { told, defined }
    }

    /// Whether the object has no namespace.
    pub(super) fn without_namespace(&self, object: &Node) -> bool {
        let Some(kind) = object.text("kind") else {
            return false;
        };
        let version = object.text("apiVersion").unwrap_or_default();
        let name = match version.split_once('/') {
            Some((group, _)) => format!("{kind}.{group}"),
            None => kind.to_owned(),
        };
        KNOWN.contains(&name.as_str()) || self.told.contains(&name) || self.defined.contains(&name)
    }
}

/// The kind without namespace that a definition defines.
fn defined(document: &Node) -> Option<String> {
    let spec = document.get("spec")?;
    let is_definition = document.text("kind")? == "CustomResourceDefinition";
    if !is_definition || spec.text("scope")? != "Cluster" {
        return None;
    }
    Some(format!(
        "{}.{}",
        spec.at(&["names"])?.text("kind")?,
        spec.text("group")?
    ))
}
