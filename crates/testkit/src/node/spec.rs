//! What a simulated node is made of: hardware in, the Node object's labels, capacity and addresses out.
//! It must not know a client or the time.

use std::collections::BTreeMap;

use engine_sim::GpuSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const MIB: u64 = 1 << 20;

/// A GPU model as GPU feature discovery labels it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuModel {
    /// Value of `nvidia.com/gpu.product`.
    pub product: String,
    /// Value of `nvidia.com/gpu.memory`, in MiB.
    pub memory_mib: u64,
    /// Value of `nvidia.com/gpu.family`.
    pub family: String,
    /// Compute capability, major and minor.
    pub compute: (u32, u32),
}

impl GpuModel {
    /// Any model; memory in MiB.
    pub fn new(product: &str, memory_mib: u64, family: &str, compute: (u32, u32)) -> Self {
        Self {
            product: product.to_owned(),
            memory_mib,
            family: family.to_owned(),
            compute,
        }
    }

    /// H100 SXM, 80 GB.
    pub fn h100() -> Self {
        Self::new("NVIDIA-H100-80GB-HBM3", 81_559, "hopper", (9, 0))
    }

    /// A100 SXM, 80 GB.
    pub fn a100_80() -> Self {
        Self::new("NVIDIA-A100-SXM4-80GB", 81_920, "ampere", (8, 0))
    }

    /// L4, 24 GB.
    pub fn l4() -> Self {
        Self::new("NVIDIA-L4", 23_034, "ada-lovelace", (8, 9))
    }
}

/// A node to simulate. The constructors give hardware as sold; every field may be changed before the node is added.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Name of the Node object.
    pub name: String,
    /// CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Local disk for containers in bytes (`ephemeral-storage`).
    pub disk: u64,
    /// Most Pods at once. Default 110, as kubelet's.
    pub pods: u32,
    /// GPU model, when the node has GPUs.
    pub gpu: Option<GpuModel>,
    /// Number of GPUs.
    pub gpu_count: u32,
    /// The extended resource that they are. Default [`GPU_RESOURCE`]; only its nodes get `nvidia.com` labels.
    pub gpu_resource: String,
    /// Value of `nvidia.com/gpu.machine` and `node.kubernetes.io/instance-type`.
    pub machine: String,
    /// Further labels; they override the ones above.
    pub labels: BTreeMap<String, String>,
    /// Taints as `(key, value, effect)`.
    pub taints: Vec<(String, String, String)>,
}

impl NodeSpec {
    /// A node without GPUs: 16 CPUs, 64 GiB.
    pub fn cpu(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cpus: 16,
            memory: 65_536 * MIB,
            disk: 512 * 1024 * MIB,
            pods: 110,
            gpu: None,
            gpu_count: 0,
            gpu_resource: GPU_RESOURCE.to_owned(),
            machine: "simulated-cpu".to_owned(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }

    /// A node with `count` GPUs of any model; 24 CPUs and 240 GiB per GPU.
    pub fn gpus(name: impl Into<String>, model: GpuModel, count: u32) -> Self {
        let count_or_one = count.max(1);
        Self {
            cpus: 24 * count_or_one,
            memory: 245_760 * MIB * u64::from(count_or_one),
            disk: 2048 * 1024 * MIB,
            machine: format!("simulated-{}x{count}", model.family),
            gpu: Some(model),
            gpu_count: count,
            ..Self::cpu(name)
        }
    }

    /// A node with `count` H100 SXM GPUs of 80 GB.
    pub fn h100(name: impl Into<String>, count: u32) -> Self {
        Self::gpus(name, GpuModel::h100(), count)
    }

    /// A node with `count` A100 SXM GPUs of 80 GB.
    pub fn a100_80(name: impl Into<String>, count: u32) -> Self {
        Self::gpus(name, GpuModel::a100_80(), count)
    }

    /// A node with `count` L4 GPUs of 24 GB.
    pub fn l4(name: impl Into<String>, count: u32) -> Self {
        Self::gpus(name, GpuModel::l4(), count)
    }

    /// With its GPUs as another extended resource, such as `amd.com/gpu`.
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>) -> Self {
        self.gpu_resource = name.into();
        self
    }

    /// With one more label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// With one more taint; `effect` is `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[must_use]
    pub fn taint(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
        effect: impl Into<String>,
    ) -> Self {
        self.taints.push((key.into(), value.into(), effect.into()));
        self
    }

    /// With room for `pods` Pods, and CPU and memory not to run out before.
    #[must_use]
    pub fn room_for(mut self, pods: u32) -> Self {
        self.pods = pods;
        self.cpus = self.cpus.max(pods.saturating_mul(2));
        self.memory = self.memory.max(u64::from(pods) * 8192 * MIB);
        self
    }

    /// All labels: kubelet's own, GPU feature discovery's, then the given ones.
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = [
            ("kubernetes.io/hostname", self.name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", "amd64"),
            ("node.kubernetes.io/instance-type", self.machine.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        if let Some(model) = self.gpu.as_ref().filter(|_| self.gpu_resource == GPU_RESOURCE) {
            labels.extend(self.gpu_labels(model));
        }
        labels.extend(self.labels.clone());
        labels
    }

    fn gpu_labels(&self, model: &GpuModel) -> Vec<(String, String)> {
        let (major, minor) = model.compute;
        [
            ("present", "true".to_owned()),
            ("product", model.product.clone()),
            ("memory", model.memory_mib.to_string()),
            ("count", self.gpu_count.to_string()),
            ("family", model.family.clone()),
            ("machine", self.machine.clone()),
            ("replicas", "1".to_owned()),
            ("compute.major", major.to_string()),
            ("compute.minor", minor.to_string()),
            ("mode", "compute".to_owned()),
            ("sharing-strategy", "none".to_owned()),
        ]
        .map(|(key, value)| (format!("nvidia.com/gpu.{key}"), value))
        .into_iter()
        .chain([("nvidia.com/mig.capable".to_owned(), (major >= 8).to_string())])
        .collect()
    }

    /// Capacity, which here is all allocatable.
    pub fn capacity(&self) -> BTreeMap<String, Quantity> {
        let mut capacity: BTreeMap<String, Quantity> = [
            ("cpu", self.cpus.to_string()),
            ("memory", format!("{}Ki", self.memory / 1024)),
            ("ephemeral-storage", format!("{}Ki", self.disk / 1024)),
            ("pods", self.pods.to_string()),
            ("hugepages-2Mi", "0".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), Quantity(value)))
        .into();
        if self.gpu.is_some() {
            capacity.insert(self.gpu_resource.clone(), Quantity(self.gpu_count.to_string()));
        }
        capacity
    }

    /// One GPU of this node as a container sees it.
    pub(crate) fn device(&self) -> Option<GpuSpec> {
        self.gpu.as_ref().map(|model| GpuSpec {
            product: model.product.clone(),
            memory: model.memory_mib * MIB,
        })
    }
}

/// The extended resource of NVIDIA's device plugin.
pub const GPU_RESOURCE: &str = "nvidia.com/gpu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_node_carries_discovery_labels_and_devices() {
        let node = NodeSpec::h100("n1", 8)
            .label("zone", "a")
            .label("nvidia.com/gpu.machine", "DGXH100");
        let labels = node.all_labels();
        assert_eq!(labels["nvidia.com/gpu.product"], "NVIDIA-H100-80GB-HBM3");
        assert_eq!(labels["nvidia.com/gpu.memory"], "81559");
        assert_eq!(labels["nvidia.com/gpu.machine"], "DGXH100", "given labels win");
        assert_eq!(node.capacity()[GPU_RESOURCE].0, "8");
        let amd =
            NodeSpec::gpus("a", GpuModel::new("MI300X", 196_608, "cdna3", (9, 4)), 8).resource("amd.com/gpu");
        assert_eq!(amd.capacity()["amd.com/gpu"].0, "8");
        assert!(!amd.all_labels().contains_key("nvidia.com/gpu.present"));
        assert!(!NodeSpec::cpu("c").capacity().contains_key(GPU_RESOURCE));
        assert!(
            !NodeSpec::cpu("c")
                .all_labels()
                .contains_key("nvidia.com/gpu.present")
        );
    }
}
