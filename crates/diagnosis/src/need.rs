//! What one replica asks of GPUs, as the caller's plan says it.
//!
//! In: the plan's numbers. Out: which nodes carry such GPUs, and words for a sentence.
//! Must not: know a GPU catalogue; the caller turns "H100" into label values.

use std::fmt::Write;

use crate::facts::NodeFacts;

/// GPUs of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GpuNeed {
    /// Resource name, e.g. `nvidia.com/gpu`.
    pub resource: Box<str>,
    /// GPUs per replica.
    pub count: i64,
    /// Product asked for.
    pub product: Option<GpuProduct>,
    /// Least memory of each GPU.
    pub memory: Option<GpuMemory>,
    /// Field to lower, as the user knows it, e.g. `spec.gpu.count`.
    pub count_field: Box<str>,
}

/// A GPU product.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GpuProduct {
    /// As the user wrote it.
    pub written: Box<str>,
    /// Label values of nodes that carry it; empty: any product label that contains `written`, in any case.
    pub labels: Box<[Box<str>]>,
}

/// Memory of one GPU.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GpuMemory {
    /// Least value of the node's memory label, in MiB (an 80 GB H100 is labelled 81559: the caller allows for it).
    pub at_least_mib: u64,
    /// As a person reads it, e.g. `80 GiB`.
    pub written: Box<str>,
}

impl GpuNeed {
    /// Allocatable GPUs of the asked kind on a node; zero when the node carries none or another kind.
    pub fn carried_by(&self, node: &NodeFacts) -> i64 {
        let product = self
            .product
            .as_ref()
            .is_none_or(|product| node.gpu_product.as_deref().is_some_and(|label| product.is(label)));
        let memory = self
            .memory
            .as_ref()
            .is_none_or(|memory| node.gpu_memory_mib.is_some_and(|mib| mib >= memory.at_least_mib));
        if product && memory {
            node.device_count(&self.resource)
        } else {
            0
        }
    }

    /// `2 nvidia.com/gpu (NVIDIA-H100) with 80 GiB each`.
    pub fn words(&self) -> String {
        let mut words = format!("{} {}", self.count, self.resource);
        if let Some(product) = &self.product {
            let _ = write!(words, " ({})", product.written);
        }
        if let Some(memory) = &self.memory {
            let each = if self.count == 1 { "" } else { " each" };
            let _ = write!(words, " with {}{each}", memory.written);
        }
        words
    }
}

impl GpuProduct {
    fn is(&self, label: &str) -> bool {
        if self.labels.is_empty() {
            let written = self.written.to_ascii_lowercase();
            return label.to_ascii_lowercase().contains(&written);
        }
        self.labels.iter().any(|known| known.eq_ignore_ascii_case(label))
    }
}
