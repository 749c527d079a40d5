//! Which GPUs may be chosen.
//!
//! In: a type of GPU and the nodes that exist, either of which may be unsaid. Out: candidates with what each promises for sure,
//! or why there is none. It must not know a model.

use std::collections::BTreeMap;

use super::{SizingError, error::exists};
use crate::gpu::{
    Gpu,
    catalogue::{CATALOGUE, MIG, SHARED, by_label, family, label_values},
};

/// GPUs of a node, as its labels and its status tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeGpus {
    /// The node.
    pub node: String,
    /// Label `nvidia.com/gpu.product`.
    pub product: Option<String>,
    /// Label `nvidia.com/gpu.memory`, MiB of one.
    pub memory_mib: Option<u64>,
    /// How many Pods can ever have.
    pub allocatable: u32,
    /// How many no Pod has now.
    pub free: u32,
}

impl NodeGpus {
    /// GPUs over which a model can be split: parts of one GPU, by time slicing or MIG, are no several GPUs.
    pub(super) fn splittable(&self) -> u32 {
        let product = self.product.as_deref().unwrap_or_default();
        if product.ends_with(SHARED) || product.contains(MIG) {
            self.allocatable.min(1)
        } else {
            self.allocatable
        }
    }
}

/// GPUs that one replica could be given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate<'a> {
    /// The product by which nodes are selected: a family, or the value of the label.
    pub product: String,
    /// MiB that each GPU of it has for sure.
    pub memory_mib: u64,
    /// Its speed, where the product is known.
    pub gpu: Option<Gpu>,
    /// Most GPUs in one node; `None` offline.
    pub most: Option<u32>,
    /// The nodes that have it.
    pub nodes: Vec<&'a NodeGpus>,
}

impl Candidate<'_> {
    /// A node that exists has so many.
    pub(super) fn holds(&self, gpus: u32) -> bool {
        self.most.is_none_or(|most| gpus <= most)
    }
}

/// The candidates, in a stable order.
pub(super) fn candidates<'a>(
    gpu_type: Option<&str>,
    nodes: Option<&'a [NodeGpus]>,
) -> Result<Vec<Candidate<'a>>, SizingError> {
    match (gpu_type, nodes) {
        (None, None) => Err(SizingError::GpuNeeded { known: known() }),
        (Some(name), None) => offline(name).map(|candidate| vec![candidate]),
        (None, Some(nodes)) => {
            let found: Vec<_> = by_product(nodes.iter()).filter_map(member).collect();
            if found.is_empty() {
                let message = if nodes.iter().any(|node| node.allocatable > 0) {
                    "set gpuType: no node has the labels of GPU feature discovery (nvidia.com/gpu.product)"
                        .to_owned()
                } else {
                    "add a node with GPUs, or install the device plugin on the nodes that have them"
                        .to_owned()
                };
                return Err(SizingError::NoSuchNode {
                    needs: "a GPU".to_owned(),
                    exists: exists(nodes),
                    message,
                });
            }
            Ok(found)
        }
        (Some(name), Some(nodes)) => of_type(name, nodes),
    }
}

/// Names that people may write.
pub(super) fn known() -> String {
    CATALOGUE.map(|gpu| gpu.name).join(", ")
}

fn offline<'a>(name: &str) -> Result<Candidate<'a>, SizingError> {
    let members = members(name);
    let memory_mib = members.iter().map(|gpu| u64::from(gpu.memory_mib)).min();
    let Some(memory_mib) = memory_mib else {
        return Err(SizingError::UnknownGpu {
            name: name.to_owned(),
            known: known(),
        });
    };
    Ok(Candidate {
        product: name.to_owned(),
        memory_mib,
        gpu: speed(name, &members, &[]),
        most: None,
        nodes: Vec::new(),
    })
}

/// The family by its smallest card, and each of its products that exists, so that cards of 80 GiB are not counted as 40.
fn of_type<'a>(name: &str, nodes: &'a [NodeGpus]) -> Result<Vec<Candidate<'a>>, SizingError> {
    let members = members(name);
    let has_type = |node: &&NodeGpus| {
        let product = node.product.as_deref().unwrap_or_default();
        product.eq_ignore_ascii_case(name) || by_label(product).is_some_and(|gpu| members.contains(&gpu))
    };
    let of_type: Vec<&NodeGpus> = nodes.iter().filter(has_type).collect();
    if of_type.is_empty() {
        if members.is_empty() {
            return Err(SizingError::UnknownGpu {
                name: name.to_owned(),
                known: known(),
            });
        }
        return Err(SizingError::NoSuchNode {
            needs: format!("a node with {name}"),
            exists: exists(nodes),
            message: "set gpuType to one that exists, or add such a node; nodes are known by the label nvidia.com/gpu.product of GPU \
                      feature discovery"
                .to_owned(),
        });
    }
    let labels = label_values(&members);
    let selected = |node: &&&NodeGpus| {
        node.product
            .as_ref()
            .is_some_and(|product| labels.contains(product))
    };
    let whole: Vec<&NodeGpus> = of_type.iter().filter(selected).copied().collect();
    let seen = whole.iter().filter_map(|node| node.memory_mib).min();
    let smallest = members.iter().map(|gpu| u64::from(gpu.memory_mib)).min();
    let whole = match smallest {
        Some(memory) if !whole.is_empty() => Some(Candidate {
            product: name.to_owned(),
            memory_mib: seen.map_or(memory, |seen| seen.min(memory)),
            gpu: speed(name, &members, &whole),
            most: whole.iter().map(|node| node.splittable()).max(),
            nodes: whole,
        }),
        _ => None,
    };
    let each = by_product(of_type.into_iter()).filter_map(member);
    Ok(whole.into_iter().chain(each).collect())
}

fn by_product<'a>(
    nodes: impl Iterator<Item = &'a NodeGpus>,
) -> impl Iterator<Item = (String, Vec<&'a NodeGpus>)> {
    let mut groups: BTreeMap<String, Vec<&NodeGpus>> = BTreeMap::new();
    for node in nodes.filter(|node| node.allocatable > 0) {
        let Some(label) = node.product.as_deref() else {
            continue;
        };
        let own = by_label(label).filter(|gpu| label_values(&[*gpu]).iter().any(|value| value == label));
        let product = own.map_or_else(|| label.to_owned(), |gpu| gpu.name.to_owned());
        groups.entry(product).or_default().push(node);
    }
    groups.into_iter()
}

/// Memory is what the nodes say, and at most what the catalogue says of all that the product selects.
fn member((product, nodes): (String, Vec<&NodeGpus>)) -> Option<Candidate<'_>> {
    let members = members(&product);
    let seen = nodes.iter().filter_map(|node| node.memory_mib).min();
    let known = members.iter().map(|gpu| u64::from(gpu.memory_mib)).min();
    Some(Candidate {
        memory_mib: [seen, known].into_iter().flatten().min()?,
        gpu: speed(&product, &members, &nodes),
        most: nodes.iter().map(|node| node.splittable()).max(),
        product,
        nodes,
    })
}

/// What a family's name or a label's value can mean.
fn members(product: &str) -> Vec<Gpu> {
    let family = family(product);
    if family.is_empty() {
        by_label(product).into_iter().collect()
    } else {
        family
    }
}

/// The slowest that a replica may meet: of those that nodes have; else the one of that very name; else of the family.
fn speed(product: &str, members: &[Gpu], nodes: &[&NodeGpus]) -> Option<Gpu> {
    let present = nodes
        .iter()
        .filter_map(|node| by_label(node.product.as_deref().unwrap_or_default()));
    let named = || {
        members
            .iter()
            .find(|gpu| gpu.name.eq_ignore_ascii_case(product))
            .copied()
    };
    let slowness = |gpu: &Gpu| (gpu.bandwidth_gb_s, gpu.tflops);
    let slowest = || members.iter().copied().min_by_key(slowness);
    present.min_by_key(slowness).or_else(named).or_else(slowest)
}
