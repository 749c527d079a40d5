//! Why the scheduler finds no node for a Pod.
//!
//! In: the Pod with the scheduler's words, what it needs of GPUs, and the nodes. Out: the one cause that stands between
//! the Pod and the node that came nearest. Must not: name objects of other namespaces; those are only counted.

mod gpus;
mod parse;

use crate::{
    Finding, GpuNeed, Reason, Surroundings, claims,
    facts::{NodeFacts, Placement, PodFacts, Scheduling},
    finding::list,
    redact,
};
use parse::{PodRefusal, Refusal, Verdict};

/// What can be said where nodes may not be read.
const UNSEEN: &str = "Whether nodes have such devices and who holds them is not known here, since this operator may not read nodes: \
                      look at the nodes, then ask for what exists, free some, or add a node.";

/// The finding about a Pod that has no node.
pub fn explain(pod: &PodFacts, need: Option<&GpuNeed>, around: &dyn Surroundings) -> Finding {
    let Scheduling::Refused { reason, message } = &pod.scheduling else {
        return Finding::new(
            Reason::WaitingForScheduler,
            format!("Pod {} waits for the scheduler.", pod.name),
        );
    };
    if &**reason == "SchedulingGated" {
        let words = format!(
            "Pod {} is held back by a scheduling gate; whoever set the gate must remove it.",
            pod.name
        );
        return Finding::new(Reason::WaitingForScheduler, words);
    }
    if message.contains("waiting for the preemption") {
        let words = format!(
            "Pod {} waits until Pods of lower priority have made room for it.",
            pod.name
        );
        return Finding::new(Reason::WaitingForPreemption, words);
    }
    let verdict = parse::parse(message);
    match &verdict.pod {
        Some(PodRefusal::NoNodes) => no_nodes(pod),
        Some(refusal) => claims::refused(pod, refusal, around),
        None => gpus::explain(pod, need, &verdict, around)
            .unwrap_or_else(|| nearest(pod, &verdict, message, around)),
    }
}

pub use parse::PodRefusal as ClaimRefusal;

fn no_nodes(pod: &PodFacts) -> Finding {
    let words = format!(
        "Pod {} waits for a node: the cluster has none. Add a node.",
        pod.name
    );
    Finding::new(Reason::NoNodes, words)
}

/// kube-scheduler runs its filters in a fixed order and stops at the first that refuses a node, so the refusal latest in
/// that order comes from the node that is nearest to fitting.
fn nearest(pod: &PodFacts, verdict: &Verdict, message: &str, around: &dyn Surroundings) -> Finding {
    let placement = pod.placement.as_deref().cloned().unwrap_or_default();
    let Some((worst, _)) = verdict.refusals.iter().max_by_key(|(refusal, _)| rank(refusal)) else {
        let words = redact::clean(message);
        return Finding::new(
            Reason::Unschedulable,
            format!("Pod {} waits for a node: {words}", pod.name),
        );
    };
    let of_device = is_device(worst);
    let nodes =
        if of_device || verdict.has(|refusal| matches!(refusal, Refusal::Taint(None) | Refusal::Cordoned)) {
            around.nodes()
        } else {
            Vec::new()
        };
    // The scheduler says the same of a node whose devices are taken and of one that has none.
    let blind = of_device && nodes.is_empty();
    let (reason, way_out) = if blind {
        (Reason::Unschedulable, UNSEEN)
    } else {
        let reason = reason_of(worst, &placement);
        (reason, reason.way_out())
    };
    let mut refusals = verdict.refusals.clone();
    refusals.sort_by_key(|(refusal, _)| std::cmp::Reverse(rank(refusal)));
    let told: Vec<String> = refusals
        .iter()
        .map(|(refusal, count)| {
            let taints = untolerated(nodes.iter().map(|node| &**node), &placement);
            phrase(refusal, *count, pod, &placement, &taints)
        })
        .collect();
    let total = verdict.nodes.map_or(String::new(), |total| match total {
        1 => "of 1 node ".to_owned(),
        total => format!("of {total} nodes "),
    });
    let words = format!(
        "Pod {} waits for a node: {total}{}. {}",
        pod.name,
        told.join(", "),
        way_out
    );
    Finding::new(reason, words)
}

/// Whether devices such as GPUs are what is missing.
fn is_device(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Insufficient(resource) => !matches!(&**resource, "cpu" | "memory" | "ephemeral-storage"),
        _ => false,
    }
}

/// The place of a filter in kube-scheduler's order; of resources the scarcest first.
fn rank(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::Other(_) => 0,
        Refusal::Cordoned => 1,
        Refusal::Taint(_) => 2,
        Refusal::Selector => 3,
        Refusal::Port => 4,
        Refusal::TooManyPods => 5,
        Refusal::Insufficient(resource) => match &**resource {
            "ephemeral-storage" => 6,
            "cpu" => 7,
            "memory" => 8,
            _ => 9,
        },
        Refusal::TooManyVolumes => 10,
        Refusal::NoVolume => 11,
        Refusal::VolumeConflict => 12,
        Refusal::Spread => 13,
        Refusal::PodAffinity => 14,
    }
}

fn reason_of(refusal: &Refusal, placement: &Placement) -> Reason {
    match refusal {
        Refusal::Insufficient(resource) => match &**resource {
            "cpu" => Reason::InsufficientCpu,
            "memory" => Reason::InsufficientMemory,
            "ephemeral-storage" => Reason::InsufficientStorage,
            _ => Reason::GpusTaken,
        },
        Refusal::TooManyPods => Reason::TooManyPods,
        Refusal::Taint(_) | Refusal::Cordoned => Reason::NodeTaints,
        Refusal::Selector if !placement.node_selector.is_empty() => Reason::NodeSelectorMismatch,
        Refusal::Selector | Refusal::PodAffinity => Reason::NodeAffinityMismatch,
        Refusal::Spread => Reason::TopologySpread,
        Refusal::VolumeConflict => Reason::VolumeNodeConflict,
        Refusal::NoVolume | Refusal::TooManyVolumes => Reason::ClaimPending,
        Refusal::Port => Reason::PortTaken,
        Refusal::Other(_) => Reason::Unschedulable,
    }
}

fn phrase(refusal: &Refusal, count: u32, pod: &PodFacts, placement: &Placement, taints: &[String]) -> String {
    let verb = |one: &'static str, many: &'static str| if count == 1 { one } else { many };
    match refusal {
        Refusal::Insufficient(resource) => {
            let asked = match &**resource {
                "cpu" if !placement.cpu.is_empty() => format!(" (the Pod asks for {})", placement.cpu),
                "memory" if !placement.memory.is_empty() => {
                    format!(" (the Pod asks for {})", placement.memory)
                }
                device if pod.device_count(device) > 0 => {
                    format!(" (the Pod asks for {})", pod.device_count(device))
                }
                _ => String::new(),
            };
            format!("{count} {} free {resource}{asked}", verb("lacks", "lack"))
        }
        Refusal::TooManyPods => format!("{count} {} full of Pods", verb("is", "are")),
        Refusal::Taint(Some(key)) => {
            format!(
                "{count} {} the taint {key}, which the Pod does not tolerate",
                verb("has", "have")
            )
        }
        Refusal::Taint(None) => {
            let which = if taints.is_empty() {
                String::new()
            } else {
                format!(" ({})", list(taints))
            };
            format!(
                "{count} {} taints that the Pod does not tolerate{which}",
                verb("has", "have")
            )
        }
        Refusal::Cordoned => format!("{count} {} cordoned", verb("is", "are")),
        Refusal::Selector if !placement.node_selector.is_empty() => {
            format!(
                "{count} {} the node selector {}",
                verb("does not match", "do not match"),
                placement.node_selector.join(",")
            )
        }
        Refusal::Selector => format!(
            "{count} {} the node affinity",
            verb("does not match", "do not match")
        ),
        Refusal::PodAffinity => {
            format!(
                "{count} {} the Pod (anti-)affinity",
                verb("does not match", "do not match")
            )
        }
        Refusal::Spread => {
            format!(
                "{count} {} the topology spread constraints",
                verb("does not match", "do not match")
            )
        }
        Refusal::VolumeConflict => format!(
            "{count} cannot use the volume of {}",
            if pod.claims.is_empty() {
                "the Pod".to_owned()
            } else {
                format!("claim {}", list(&pod.claims))
            }
        ),
        Refusal::NoVolume => format!("{count} {} no volume for the Pod's claim", verb("has", "have")),
        Refusal::TooManyVolumes => format!("{count} cannot attach more volumes"),
        Refusal::Port => format!("{count} {} the host port in use", verb("has", "have")),
        Refusal::Other(words) => format!("{count}: {}", redact::clean(words)),
    }
}

/// Taints of these nodes that the Pod does not tolerate, by key, sorted.
fn untolerated<'a>(nodes: impl Iterator<Item = &'a NodeFacts>, placement: &Placement) -> Vec<String> {
    let mut keys: Vec<String> = nodes
        .flat_map(|node| node.taints.iter())
        .filter(|taint| !tolerates(placement, &taint.key))
        .map(|taint| taint.key.to_string())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn tolerates(placement: &Placement, key: &str) -> bool {
    placement
        .tolerated
        .iter()
        .any(|tolerated| tolerated.is_empty() || &**tolerated == key)
}

#[cfg(test)]
mod tests;
