//! A Node, reduced.

use k8s_openapi::api::core::v1::{Node, NodeStatus};

use super::{DeviceCounts, count_of, devices};

/// A taint that keeps Pods away (effects `NoSchedule` and `NoExecute`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TaintFacts {
    /// Taint key.
    pub key: Box<str>,
    /// Taint value, may be empty.
    pub value: Box<str>,
    /// `NoSchedule` or `NoExecute`.
    pub effect: Box<str>,
}

/// What a diagnosis needs of a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
pub struct NodeFacts {
    /// Name of the node.
    pub name: Box<str>,
    /// The node's `Ready` condition is `True`.
    pub ready: bool,
    /// Cordoned: `spec.unschedulable`.
    pub unschedulable: bool,
    /// GPU product of GPU feature discovery (`nvidia.com/gpu.product`), or the cloud's own label.
    pub gpu_product: Option<Box<str>>,
    /// The product is told by `nvidia.com/gpu.product`, by which Pods select nodes.
    pub gpu_selectable: bool,
    /// Memory of one GPU in MiB (`nvidia.com/gpu.memory`).
    pub gpu_memory_mib: Option<u64>,
    /// Allocatable devices by resource name.
    pub devices: DeviceCounts,
    /// Taints that keep Pods away.
    pub taints: Box<[TaintFacts]>,
    /// Allocatable CPU, as written.
    pub cpu: Option<Box<str>>,
    /// Allocatable memory, as written.
    pub memory: Option<Box<str>>,
    /// The node reports `DiskPressure`.
    pub disk_pressure: bool,
}

impl NodeFacts {
    /// Allocatable devices of one resource name.
    pub fn device_count(&self, resource: &str) -> i64 {
        count_of(&self.devices, resource)
    }

    /// A Pod may be placed here: ready and not cordoned.
    pub fn usable(&self) -> bool {
        self.ready && !self.unschedulable
    }
}

/// Labels that name a GPU product, the most exact first: GPU feature discovery, GKE, EKS (Karpenter), AMD's labeller.
const PRODUCT_LABELS: [&str; 4] = [
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "amd.com/gpu.product-name",
];
/// Labels that tell the memory of one GPU in MiB.
const MEMORY_LABELS: [&str; 2] = ["nvidia.com/gpu.memory", "karpenter.k8s.aws/instance-gpu-memory"];

impl From<&Node> for NodeFacts {
    fn from(node: &Node) -> Self {
        let label = |key: &str| node.metadata.labels.as_ref()?.get(key);
        let spec = node.spec.as_ref();
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        let quantity = |name: &str| Some(allocatable?.get(name)?.0.as_str().into());
        Self {
            name: node.metadata.name.as_deref().unwrap_or_default().into(),
            ready: condition(status, "Ready"),
            unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
            gpu_product: PRODUCT_LABELS
                .iter()
                .find_map(|key| label(key))
                .map(|text| text.as_str().into()),
            gpu_selectable: label(PRODUCT_LABELS[0]).is_some(),
            gpu_memory_mib: MEMORY_LABELS.iter().find_map(|key| label(key)?.parse().ok()),
            devices: devices(allocatable)
                .into_iter()
                .map(|(name, count)| (name.into(), count))
                .collect(),
            taints: spec
                .and_then(|spec| spec.taints.as_deref())
                .unwrap_or_default()
                .iter()
                .filter(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute")
                .map(|taint| TaintFacts {
                    key: taint.key.as_str().into(),
                    value: taint.value.as_deref().unwrap_or_default().into(),
                    effect: taint.effect.as_str().into(),
                })
                .collect(),
            cpu: quantity("cpu"),
            memory: quantity("memory"),
            disk_pressure: condition(status, "DiskPressure"),
        }
    }
}

fn condition(status: Option<&NodeStatus>, kind: &str) -> bool {
    status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == kind && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_node_is_reduced_to_what_placement_needs() {
        let node: Node = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "gpu-0", "labels": {
                "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559"}},
            "spec": {"unschedulable": true, "taints": [
                {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
                {"key": "soft", "effect": "PreferNoSchedule"}]},
            "status": {"allocatable": {"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": "8"},
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}]}
        }))
        .unwrap();
        let facts = NodeFacts::from(&node);
        assert_eq!(facts.device_count("nvidia.com/gpu"), 8);
        assert_eq!(facts.device_count("amd.com/gpu"), 0);
        assert_eq!(facts.gpu_memory_mib, Some(81_559));
        assert_eq!(facts.gpu_product.as_deref(), Some("NVIDIA-H100-80GB-HBM3"));
        assert_eq!(facts.taints.len(), 1, "a preference keeps nobody away");
        assert!(facts.ready && !facts.usable() && !facts.disk_pressure);
    }
}
