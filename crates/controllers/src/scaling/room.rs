//! Room for replicas: GPUs that exist and are not taken, and what a quota has refused.
//!
//! In: facts of nodes and Pods. Out: numbers of replicas. Pure. It must not name anybody's Pods.

use std::{collections::HashMap, sync::Arc};

use diagnosis::{
    GpuNeed,
    facts::{NodeFacts, PodFacts, WorkloadFacts},
};

/// Replicas for which there are GPUs: those that have theirs, and those that would fit on nodes that take them, also in the place of
/// one that ends: its successor in a rollout is not one too many. `None`: no node is known.
pub(super) fn gpus(
    need: &GpuNeed,
    tolerated: &[String],
    nodes: &[Arc<NodeFacts>],
    holders: &[Arc<PodFacts>],
    own: &[Arc<PodFacts>],
) -> Option<u32> {
    if nodes.is_empty() || need.count <= 0 {
        return None;
    }
    let ends = |pod: &PodFacts| own.iter().any(|one| one.deleting && one.uid == pod.uid);
    let mut held: HashMap<&str, i64> = HashMap::new();
    for pod in holders.iter().filter(|pod| pod.holds_devices() && !ends(pod)) {
        if let Some(node) = &pod.node {
            let sum = held.entry(node).or_default();
            *sum = sum.saturating_add(pod.device_count(&need.resource));
        }
    }
    let open = |node: &&Arc<NodeFacts>| {
        node.usable()
            && node
                .taints
                .iter()
                .all(|taint| tolerated.iter().any(|key| key.is_empty() || *key == *taint.key))
    };
    let fits = |node: &Arc<NodeFacts>| {
        let taken = held.get(&*node.name).copied().unwrap_or_default();
        need.carried_by(node).saturating_sub(taken).max(0) / need.count
    };
    let more: i64 = nodes.iter().filter(open).map(fits).fold(0, i64::saturating_add);
    let have = own
        .iter()
        .filter(|pod| pod.holds_devices() && !pod.deleting)
        .count();
    let have = i64::try_from(have).unwrap_or(i64::MAX);
    Some(u32::try_from(more.saturating_add(have)).unwrap_or(u32::MAX))
}

/// Replicas that there are, when a quota refused more just now, with its words. A rollout, whose Pods come on top, is no measure, nor
/// are Pods that end while their successors are refused.
pub(super) fn quota(workload: &WorkloadFacts, own: &[Arc<PodFacts>]) -> Option<(u32, String)> {
    let failure = workload
        .replica_failure
        .as_ref()
        .filter(|failure| failure.holds)?;
    let words = failure.message.split_once("exceeded quota")?.1;
    let have = u32::try_from(own.len()).unwrap_or(u32::MAX);
    let rolls_out = workload.updated < workload.total;
    if rolls_out || i64::from(have) >= i64::from(workload.desired) {
        return None;
    }
    Some((have, diagnosis::shorten(&format!("exceeded quota{words}"), 200)))
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{ConditionFacts, TaintFacts};

    use super::*;

    fn node(name: &str, gpus: i64) -> NodeFacts {
        NodeFacts {
            name: name.into(),
            ready: true,
            devices: [("nvidia.com/gpu".into(), gpus)].into_iter().collect(),
            ..NodeFacts::default()
        }
    }

    fn pod(node: &str, gpus: i64) -> Arc<PodFacts> {
        Arc::new(PodFacts {
            node: Some(node.into()),
            devices: [("nvidia.com/gpu".into(), gpus)].into_iter().collect(),
            ..PodFacts::default()
        })
    }

    fn need(count: i64) -> GpuNeed {
        GpuNeed {
            resource: "nvidia.com/gpu".into(),
            count,
            ..GpuNeed::default()
        }
    }

    #[test]
    fn what_others_hold_and_what_is_split_over_nodes_does_not_count() {
        let nodes = [Arc::new(node("a", 8)), Arc::new(node("b", 8))];
        let room = |count, holders: &[Arc<PodFacts>], own: &[Arc<PodFacts>]| {
            gpus(&need(count), &[], &nodes, holders, own)
        };
        assert_eq!(room(1, &[], &[]), Some(16));
        assert_eq!(room(3, &[], &[]), Some(4), "2 + 2, not 5");
        assert_eq!(room(4, &[pod("a", 6)], &[]), Some(2));
        let own = [pod("a", 4)];
        assert_eq!(room(4, &own, &own), Some(4), "its own is its own");
        assert_eq!(gpus(&need(1), &[], &[], &[], &[]), None, "nothing is known");
        assert_eq!(room(0, &[], &[]), None);
    }

    #[test]
    fn who_ends_makes_room_for_a_successor() {
        let nodes = [Arc::new(node("a", 8))];
        let named = |name: &str, deleting: bool| {
            let pod = pod("a", 4);
            Arc::new(PodFacts {
                uid: name.into(),
                deleting,
                ..(*pod).clone()
            })
        };
        let own = [named("old", true), named("stays", false)];
        assert_eq!(
            gpus(&need(4), &[], &nodes, &own, &own),
            Some(2),
            "in the middle of a rollout"
        );
        let others = [named("theirs", true), named("stays", false)];
        assert_eq!(
            gpus(&need(4), &[], &nodes, &others, &own[1..]),
            Some(1),
            "others' end when they have ended"
        );
    }

    #[test]
    fn nodes_that_take_no_pods_have_no_room_but_what_runs_there_stays() {
        let mut cordoned = node("a", 8);
        cordoned.unschedulable = true;
        let mut tainted = node("b", 8);
        tainted.taints = [TaintFacts {
            key: "gpu".into(),
            ..TaintFacts::default()
        }]
        .into();
        let nodes = [Arc::new(cordoned), Arc::new(tainted)];
        let own = [pod("a", 4)];
        let room = |tolerated: &[String]| gpus(&need(4), tolerated, &nodes, &own, &own);
        assert_eq!(room(&[]), Some(1));
        assert_eq!(room(&["gpu".to_owned()]), Some(3));
        assert_eq!(room(&[String::new()]), Some(3));
    }

    #[test]
    fn a_quota_is_known_by_its_refusal() {
        let failing = |holds, message: &str| WorkloadFacts {
            replica_failure: Some(ConditionFacts {
                holds,
                reason: "FailedCreate".into(),
                message: message.into(),
            }),
            desired: 3,
            updated: 2,
            total: 2,
            ..WorkloadFacts::default()
        };
        let own = [pod("a", 1), pod("a", 1)];
        let words = "pods \"x\" is forbidden: exceeded quota: gpus, requested: 1, used: 2, limited: 2";
        let (have, told) = quota(&failing(true, words), &own).unwrap();
        assert_eq!(
            (have, told.as_str()),
            (2, "exceeded quota: gpus, requested: 1, used: 2, limited: 2")
        );
        assert_eq!(quota(&failing(false, words), &own), None);
        let mut rollout = failing(true, words);
        rollout.updated = 1;
        assert_eq!(quota(&rollout, &own), None, "Pods on top are refused");
        let mut complete = failing(true, words);
        complete.desired = 2;
        assert_eq!(quota(&complete, &own), None, "nothing is missing");
        assert_eq!(quota(&failing(true, "admission webhook denied it"), &own), None);
        assert_eq!(quota(&WorkloadFacts::default(), &own), None);
    }
}
