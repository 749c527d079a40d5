//! A wish for GPUs as a rule for the scheduler.
//!
//! In: count, resource, product, least memory. Out: node affinity requirements, and how it reads. It must not depend
//! on the nodes that exist: a node that joins must not change, and so roll, a Deployment.
//!
//! Memory: nobody's label says 80 GiB. The driver and ECC keep up to 6.3 % of the nominal size (an L4 of 24 GiB has the label 23034
//! MiB, an H100 of 80 GiB 81559 MiB). So a GPU counts when its label is at least 93 % of what was asked for: `80Gi`
//! admits an H100 and an A100-80GB but no card of 48 GiB; `24Gi` admits an L4.

use k8s_openapi::api::core::v1::NodeSelectorRequirement;

use super::catalogue;
use crate::quantity::Quantity;

/// Label of GPU feature discovery: the product's name.
const PRODUCT: &str = "nvidia.com/gpu.product";
/// Label of GPU feature discovery: MiB of one GPU.
const MEMORY: &str = "nvidia.com/gpu.memory";
/// Percent of the asked memory that a label must show.
const MEMORY_PERCENT: i64 = 93;

/// GPUs of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuRequest {
    /// How many; at least 1.
    pub count: u32,
    /// The resource that nodes advertise, for example `nvidia.com/gpu`.
    pub resource: String,
    /// A family of the catalogue, else a value of `nvidia.com/gpu.product`.
    pub product: Option<String>,
    /// Bytes that each GPU must have at least.
    pub min_memory: Option<Quantity>,
}

impl GpuRequest {
    /// What a node must have, in a stable order.
    pub fn node_requirements(&self) -> Vec<NodeSelectorRequirement> {
        let product = self
            .product
            .as_ref()
            .map(|_| requirement(PRODUCT, "In", self.product_labels()));
        let memory = self
            .min_memory
            .map(|memory| requirement(MEMORY, "Gt", vec![(least_label_mib(memory) - 1).to_string()]));
        memory.into_iter().chain(product).collect()
    }

    /// MiB that every GPU which may be chosen has for sure; `None` when any may be chosen.
    pub fn guaranteed_memory_mib(&self) -> Option<u64> {
        let asked = self
            .min_memory
            .map(|memory| u64::try_from(least_label_mib(memory)).unwrap_or_default());
        let product = self
            .product
            .as_deref()
            .and_then(product_memory_mib)
            .map(u64::from);
        asked.max(product)
    }

    /// Values of the node label `nvidia.com/gpu.product` that satisfy the wish; empty: any. Several time slices may be of one GPU, so a
    /// model that is split over GPUs gets whole ones, unless the slices are named.
    pub fn product_labels(&self) -> Vec<String> {
        let mut values = self.product.as_deref().map(product_values).unwrap_or_default();
        if self.count > 1 && values.len() > 1 {
            values.retain(|value| !value.ends_with(catalogue::SHARED));
        }
        values
    }

    /// The smallest value of the node label `nvidia.com/gpu.memory`, in MiB, that satisfies the wish.
    pub fn least_label_mib(&self) -> Option<u64> {
        self.min_memory
            .and_then(|memory| u64::try_from(least_label_mib(memory)).ok())
    }

    /// For people: `2 x H100`, `4 x GPU of 80Gi`, `1 x amd.com/gpu`.
    pub fn summary(&self) -> String {
        let count = self.count;
        match (&self.product, self.min_memory) {
            (Some(product), _) => format!("{count} x {product}"),
            (None, Some(memory)) => format!("{count} x GPU of {memory}"),
            (None, None) if self.resource == "nvidia.com/gpu" => format!("{count} x GPU"),
            (None, None) => format!("{count} x {}", self.resource),
        }
    }
}

fn product_values(product: &str) -> Vec<String> {
    let family = catalogue::family(product);
    if family.is_empty() {
        vec![product.to_owned()]
    } else {
        catalogue::label_values(&family)
    }
}

/// The smallest memory among what the product can mean.
fn product_memory_mib(product: &str) -> Option<u32> {
    let family = catalogue::family(product);
    let smallest = family.iter().map(|gpu| gpu.memory_mib).min();
    smallest.or_else(|| catalogue::by_label(product).map(|gpu| gpu.memory_mib))
}

/// The smallest label, in MiB, that is taken for the asked memory.
fn least_label_mib(memory: Quantity) -> i64 {
    let mib = memory.ceil_units().div_euclid(1 << 20);
    (mib / 100 * MEMORY_PERCENT + mib % 100 * MEMORY_PERCENT / 100).max(1)
}

fn requirement(key: &str, operator: &str, values: Vec<String>) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: Some(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(product: Option<&str>, memory: Option<&str>) -> GpuRequest {
        GpuRequest {
            count: 2,
            resource: "nvidia.com/gpu".into(),
            product: product.map(Into::into),
            min_memory: memory.map(|text| text.parse().unwrap()),
        }
    }

    /// Which cards of the catalogue the memory rule admits.
    fn admitted(memory: &str) -> Vec<&'static str> {
        let least = least_label_mib(memory.parse().unwrap());
        catalogue::CATALOGUE
            .iter()
            .filter(|gpu| i64::from(gpu.memory_mib) >= least)
            .map(|gpu| gpu.name)
            .collect()
    }

    #[test]
    fn nominal_sizes_admit_the_cards_that_are_sold_by_them() {
        assert!(admitted("80Gi").contains(&"H100") && admitted("80Gi").contains(&"A100-80GB"));
        assert!(!admitted("80Gi").contains(&"L40S") && !admitted("80Gi").contains(&"A100-40GB"));
        for card in ["L4", "A10", "A10G", "A30"] {
            assert!(admitted("24Gi").contains(&card), "{card}");
        }
        assert!(!admitted("24Gi").contains(&"T4") && admitted("16Gi").contains(&"T4"));
        assert!(admitted("48Gi").contains(&"L40S") && !admitted("48Gi").contains(&"A100-40GB"));
        assert!(admitted("141Gi").contains(&"H200") && !admitted("141Gi").contains(&"H100-NVL"));
        assert!(admitted("80G").contains(&"H100"));
    }

    #[test]
    fn a_family_is_all_its_labels_and_an_exact_label_itself() {
        let family = &request(Some("h100"), None).node_requirements()[0];
        let values = family.values.as_ref().unwrap();
        let slice = "NVIDIA-H100-PCIe-SHARED".to_owned();
        assert!(values.contains(&"NVIDIA-H100-NVL".into()) && !values.contains(&slice));
        let one = GpuRequest {
            count: 1,
            ..request(Some("h100"), None)
        };
        assert!(one.product_labels().contains(&slice), "a slice is one GPU");
        let named = request(Some(&slice), None);
        assert_eq!(named.product_labels(), [slice]);
        let exact = request(Some("NVIDIA-Future-1"), None).node_requirements();
        assert_eq!(exact[0].values, Some(vec!["NVIDIA-Future-1".into()]));
        assert!(request(None, None).node_requirements().is_empty());
    }

    #[test]
    fn guaranteed_memory_is_the_larger_of_both_promises() {
        assert_eq!(request(Some("A100"), None).guaranteed_memory_mib(), Some(40_960));
        assert_eq!(
            request(Some("A100"), Some("80Gi")).guaranteed_memory_mib(),
            Some(76_185)
        );
        assert_eq!(request(None, None).guaranteed_memory_mib(), None);
    }

    #[test]
    fn it_reads_well() {
        assert_eq!(request(Some("H100"), None).summary(), "2 x H100");
        assert_eq!(request(None, Some("80Gi")).summary(), "2 x GPU of 80Gi");
        assert_eq!(request(None, None).summary(), "2 x GPU");
    }
}
