//! GPU arithmetic: do such GPUs exist, and who has them.
//!
//! In: a Pod's need, all nodes, all known Pods that hold devices. Out: `NoSuchGpu`, `GpusTaken` or `NodeTaints` with the
//! numbers, or nothing when GPUs are not what is missing. Must not: name anything of another namespace.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    parse::{Refusal, Verdict},
    untolerated,
};
use crate::{
    Finding, GpuNeed, Reason, Surroundings,
    facts::{NodeFacts, PodFacts},
    finding::list,
};

/// A node's kubelet has reported `DiskPressure`.
const SHORT_OF_DISK: &str = "short of disk";

/// Who holds GPUs, seen from one namespace.
#[derive(Default)]
struct Holders {
    /// By node: GPUs held there.
    on_node: HashMap<Box<str>, i64>,
    /// By words for the holder in the own namespace: GPUs held.
    here: BTreeMap<String, i64>,
    /// GPUs held by Pods of other namespaces.
    elsewhere: i64,
}

/// The finding when the GPUs asked for are what is missing.
pub fn explain(
    pod: &PodFacts,
    need: Option<&GpuNeed>,
    verdict: &Verdict,
    around: &dyn Surroundings,
) -> Option<Finding> {
    let derived;
    let need = if let Some(need) = need {
        need
    } else {
        derived = from_pod(pod)?;
        &derived
    };
    let nodes = around.nodes();
    if nodes.is_empty() || need.count <= 0 {
        return None;
    }
    let carriers: Vec<&NodeFacts> = nodes
        .iter()
        .map(|node| &**node)
        .filter(|node| need.carried_by(node) > 0)
        .collect();
    let most = carriers
        .iter()
        .map(|node| need.carried_by(node))
        .max()
        .unwrap_or(0);
    if most < need.count {
        return Some(no_such(pod, need, most, &nodes));
    }
    let placement = pod.placement.as_deref().cloned().unwrap_or_default();
    let open: Vec<&NodeFacts> = carriers
        .iter()
        .copied()
        .filter(|node| node.usable() && untolerated(std::iter::once(*node), &placement).is_empty())
        .collect();
    if open.is_empty() {
        return Some(closed(
            pod,
            need,
            &carriers,
            &untolerated(carriers.iter().copied(), &placement),
        ));
    }
    let holders = holders(pod, need, &open, &around.gpu_pods());
    let fits = open.iter().any(|node| free(node, need, &holders) >= need.count);
    let scheduler_says =
        verdict.has(|refusal| matches!(refusal, Refusal::Insufficient(name) if *name == need.resource));
    (!fits || scheduler_says).then(|| taken(pod, need, &open, &holders, fits))
}

/// Without a plan's need, the Pod's own request says the number, not the kind.
fn from_pod(pod: &PodFacts) -> Option<GpuNeed> {
    let (resource, count) = pod.devices.first()?;
    Some(GpuNeed {
        resource: resource.clone(),
        count: *count,
        count_field: "the number of GPUs".into(),
        ..GpuNeed::default()
    })
}

fn no_such(pod: &PodFacts, need: &GpuNeed, most: i64, nodes: &[Arc<NodeFacts>]) -> Finding {
    let exist = if most > 0 {
        format!("no node carries more than {most} such GPU{}", plural(most))
    } else {
        let others = other_gpus(need, nodes);
        if others.is_empty() {
            format!("no node carries {}", need.resource)
        } else {
            format!("no node carries such a GPU (there are {})", list(&others))
        }
    };
    let way_out = if most > 0 {
        format!(
            "Lower {} to {most} or less, or add a larger node.",
            need.count_field
        )
    } else {
        "Ask for a GPU that exists, or add such a node.".to_owned()
    };
    let words = format!(
        "Pod {} waits for a node: it needs {}; {exist}. {way_out}",
        pod.name,
        need.words()
    );
    Finding::new(Reason::NoSuchGpu, words)
}

/// What the nodes do carry under the same resource name: `16 NVIDIA-A100-SXM4-40GB with 40960 MiB`.
fn other_gpus(need: &GpuNeed, nodes: &[Arc<NodeFacts>]) -> Vec<String> {
    let mut kinds: BTreeMap<String, i64> = BTreeMap::new();
    for node in nodes {
        let count = node.device_count(&need.resource);
        if count > 0 {
            let product = node.gpu_product.as_deref().unwrap_or("GPUs of unknown product");
            let memory = node
                .gpu_memory_mib
                .map_or(String::new(), |mib| format!(" with {mib} MiB"));
            let sum = kinds.entry(format!("{product}{memory}")).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect()
}

/// Such GPUs exist, but only on nodes that do not take the Pod.
fn closed(pod: &PodFacts, need: &GpuNeed, carriers: &[&NodeFacts], taints: &[String]) -> Finding {
    let total = sum(carriers.iter().map(|node| need.carried_by(node)));
    let (troubles, taints): (Vec<&String>, Vec<&String>) =
        taints.iter().partition(|key| trouble(key).is_some());
    let mut why: Vec<String> = troubles
        .iter()
        .filter_map(|key| trouble(key))
        .map(str::to_owned)
        .collect();
    // The taints of these two follow a moment later.
    if carriers.iter().any(|node| node.unschedulable) {
        why.push("cordoned".to_owned());
    }
    if carriers.iter().any(|node| !node.ready) {
        why.push("not ready".to_owned());
    }
    why.sort();
    why.dedup();
    let disk = why == [SHORT_OF_DISK];
    let (reason, way_out) = if !taints.is_empty() {
        why.insert(
            0,
            format!("tainted with {}, which the Pod does not tolerate", list(&taints)),
        );
        let way_out = "Add a toleration for the taint, or remove it from a node.";
        (Reason::NodeTaints, way_out)
    } else if disk {
        (Reason::DiskPressure, "Free disk there, or add a node.")
    } else {
        (Reason::NodeTaints, "Uncordon or repair a node, or add one.")
    };
    let place = match carriers {
        [node] => format!("on node {}, which is {}", node.name, list(&why)),
        _ => format!("on nodes that are {}", list(&why)),
    };
    let words = format!(
        "Pod {} waits for a node: it needs {}; {total} such GPU{} exist{}, {place}. {way_out}",
        pod.name,
        need.words(),
        plural(total),
        if total == 1 { "s" } else { "" },
    );
    Finding::new(reason, words)
}

/// What Kubernetes' own taints say about a node; they come and go with its condition, and no Pod should tolerate them.
fn trouble(taint: &str) -> Option<&'static str> {
    Some(match taint {
        "node.kubernetes.io/unschedulable" => "cordoned",
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" => "not ready",
        "node.kubernetes.io/disk-pressure" => SHORT_OF_DISK,
        "node.kubernetes.io/memory-pressure" => "short of memory",
        "node.kubernetes.io/pid-pressure" => "short of process ids",
        "node.kubernetes.io/network-unavailable" => "without network",
        "node.kubernetes.io/out-of-service" => "out of service",
        "node.cloudprovider.kubernetes.io/uninitialized" => "not initialized yet",
        _ => return None,
    })
}

fn holders(pod: &PodFacts, need: &GpuNeed, open: &[&NodeFacts], pods: &[Arc<PodFacts>]) -> Holders {
    let mut holders = Holders::default();
    for other in pods {
        let count = other.device_count(&need.resource);
        let Some(node) = other.node.as_ref().filter(|_| count > 0 && other.holds_devices()) else {
            continue;
        };
        if !open.iter().any(|carrier| carrier.name == *node) {
            continue;
        }
        let held = holders.on_node.entry(node.clone()).or_default();
        *held = held.saturating_add(count);
        if other.namespace == pod.namespace {
            let held = holders.here.entry(holder(pod, other)).or_default();
            *held = held.saturating_add(count);
        } else {
            holders.elsewhere = holders.elsewhere.saturating_add(count);
        }
    }
    holders
}

/// The holder when it is the Pod's own resource: more replicas than there are GPUs, or a new version beside the old one.
const OWN: &str = "its own other Pods";

/// `llmdeployment chat-service`, or the Pod itself when it is not ours.
fn holder(pod: &PodFacts, other: &PodFacts) -> String {
    match &other.owner {
        owner @ Some(_) if *owner == pod.owner => OWN.to_owned(),
        Some(owner) => {
            let kind = owner.kind.split('.').next().unwrap_or_default();
            format!("{kind} {}", owner.name)
        }
        None => format!("Pod {}", other.name),
    }
}

fn free(node: &NodeFacts, need: &GpuNeed, holders: &Holders) -> i64 {
    let held = holders.on_node.get(&node.name).copied().unwrap_or(0);
    need.carried_by(node).saturating_sub(held).max(0)
}

fn taken(
    pod: &PodFacts,
    need: &GpuNeed,
    open: &[&NodeFacts],
    holders: &Holders,
    unknown_holders: bool,
) -> Finding {
    let total = sum(open.iter().map(|node| need.carried_by(node)));
    let left = sum(open.iter().map(|node| free(node, need, holders)));
    let mut told: Vec<String> = Vec::new();
    let mut by_size: Vec<(&String, &i64)> = holders.here.iter().collect();
    by_size.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    for (name, count) in by_size.iter().take(3) {
        told.push(format!("{count} {} taken by {name}", is_or_are(**count)));
    }
    let rest = sum(by_size.iter().skip(3).map(|(_, count)| **count));
    if rest > 0 {
        told.push(format!("{rest} by others in this namespace"));
    }
    if holders.elsewhere > 0 {
        let verb = if told.is_empty() {
            format!("{} taken ", is_or_are(holders.elsewhere))
        } else {
            String::new()
        };
        told.push(format!("{} {verb}in other namespaces", holders.elsewhere));
    }
    if unknown_holders {
        told.push("the rest is held by Pods unknown here or is on nodes that do not fit".to_owned());
    } else if left > 0 {
        told.push(format!(
            "{left} {} free, but not {} on one node",
            is_or_are(left),
            need.count
        ));
    }
    let own = holders.here.contains_key(OWN);
    let way_out = match (need.count == 1, own) {
        (true, true) => "Ask for one replica fewer, free one, or add a node.".to_owned(),
        (true, false) => "Free one, or add a node.".to_owned(),
        (false, true) => format!(
            "Ask for one replica fewer, lower {}, free some, or add a node.",
            need.count_field
        ),
        (false, false) => format!("Lower {}, free some, or add a node.", need.count_field),
    };
    let words = format!(
        "Pod {} waits for a node: it needs {}; {total} such GPU{} exist{}, {}. {way_out}",
        pod.name,
        need.words(),
        plural(total),
        if total == 1 { "s" } else { "" },
        told.join(", "),
    );
    Finding::new(Reason::GpusTaken, words)
}

fn is_or_are(count: i64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn sum(counts: impl Iterator<Item = i64>) -> i64 {
    counts.fold(0, i64::saturating_add)
}
