//! Small structs reduced from Kubernetes objects; thousands of them are held in memory at once.
//!
//! In: typed objects of a watch. Out: only the fields that a diagnosis reads.
//! Must not: judge anything.

mod claim;
mod event;
mod node;
mod pod;
mod workload;

pub use claim::ClaimFacts;
pub use event::EventFacts;
pub use node::{NodeFacts, TaintFacts};
pub use pod::{
    ContainerFacts, ContainerRole, ContainerState, Owner, Placement, PodFacts, PodPhase, ProbeFacts,
    Scheduling, Termination,
};
pub use workload::{ConditionFacts, WorkloadFacts};

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Label that carries the name of the custom resource a child belongs to.
pub const NAME_LABEL: &str = "llm-operator.io/name";
/// Label that carries `<lower kind>.<group>` of the custom resource a child belongs to.
pub const KIND_LABEL: &str = "llm-operator.io/kind";

/// Counts of extended resources (`nvidia.com/gpu: 8`), sorted by resource name.
pub type DeviceCounts = Box<[(Box<str>, i64)]>;

/// The count of one extended resource, zero when absent.
pub fn count_of(counts: &[(Box<str>, i64)], resource: &str) -> i64 {
    counts
        .iter()
        .find(|(name, _)| &**name == resource)
        .map_or(0, |(_, count)| *count)
}

/// A resource name with a domain that is not Kubernetes' own is an extended resource: a device.
pub(crate) fn is_device(resource: &str) -> bool {
    resource
        .split_once('/')
        .is_some_and(|(domain, _)| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io"))
        && !resource.starts_with("requests.")
}

/// The devices among named quantities, sorted by name; extended resources are whole numbers by Kubernetes' rule.
pub(crate) fn devices(quantities: Option<&BTreeMap<String, Quantity>>) -> BTreeMap<&str, i64> {
    quantities
        .into_iter()
        .flatten()
        .filter(|(name, _)| is_device(name))
        .filter_map(|(name, quantity)| whole(&quantity.0).map(|count| (name.as_str(), count)))
        .collect()
}

/// A whole quantity as the API server stores it: `8`, or `1k` for a thousand.
fn whole(text: &str) -> Option<i64> {
    let (digits, factor) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => (text, 1),
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

pub(crate) fn boxed(text: Option<&String>) -> Option<Box<str>> {
    text.filter(|text| !text.is_empty())
        .map(|text| text.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_from_cpu_memory_and_kubernetes_own() {
        for (name, device) in [
            ("nvidia.com/gpu", true),
            ("amd.com/gpu", true),
            ("nvidia.com/mig-3g.40gb", true),
            ("cpu", false),
            ("hugepages-2Mi", false),
            ("node.kubernetes.io/batch-cpu", false),
            ("requests.nvidia.com/gpu", false),
        ] {
            assert_eq!(is_device(name), device, "{name}");
        }
    }

    #[test]
    fn whole_quantities() {
        assert_eq!(whole("8"), Some(8));
        assert_eq!(whole("2k"), Some(2000));
        assert_eq!(whole("9223372036854775807k"), None);
        assert_eq!(whole("500m"), None);
        assert_eq!(whole(""), None);
    }
}
