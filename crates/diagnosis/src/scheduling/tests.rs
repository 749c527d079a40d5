//! Samples of the scheduler's words against nodes, and the sentence a person reads.

use std::sync::Arc;

use super::*;
use crate::{
    GpuMemory, Snapshot,
    facts::{ClaimFacts, Owner, PodPhase, TaintFacts},
};

const GPU: &str = "nvidia.com/gpu";

fn waiting(message: &str) -> PodFacts {
    PodFacts {
        namespace: "ml".into(),
        name: "code-7c9f-x2x4q".into(),
        uid: "u".into(),
        owner: Some(owner("code")),
        devices: [(GPU.into(), 2)].into(),
        scheduling: Scheduling::Refused {
            reason: "Unschedulable".into(),
            message: message.into(),
        },
        placement: Some(Box::default()),
        ..PodFacts::default()
    }
}

fn owner(name: &str) -> Owner {
    Owner {
        kind: "llmdeployment.llm.example.com".into(),
        name: name.into(),
    }
}

fn holding(namespace: &str, name: &str, node: &str, count: i64) -> Arc<PodFacts> {
    Arc::new(PodFacts {
        namespace: namespace.into(),
        name: format!("{name}-pod").into(),
        owner: Some(owner(name)),
        node: Some(node.into()),
        phase: PodPhase::Running,
        devices: [(GPU.into(), count)].into(),
        ..PodFacts::default()
    })
}

fn node(name: &str, count: i64, mib: u64) -> NodeFacts {
    NodeFacts {
        name: name.into(),
        ready: true,
        gpu_product: Some("NVIDIA-H100-80GB-HBM3".into()),
        gpu_memory_mib: Some(mib),
        devices: [(GPU.into(), count)].into(),
        ..NodeFacts::default()
    }
}

fn need() -> GpuNeed {
    GpuNeed {
        resource: GPU.into(),
        count: 2,
        memory: Some(GpuMemory {
            at_least_mib: 80_000,
            written: "80 GiB".into(),
        }),
        count_field: "spec.gpu.count".into(),
        ..GpuNeed::default()
    }
}

fn cluster(nodes: Vec<NodeFacts>, pods: Vec<Arc<PodFacts>>) -> Snapshot {
    Snapshot {
        nodes: nodes.into_iter().map(Arc::new).collect(),
        pods,
        ..Snapshot::default()
    }
}

const NO_GPU_FREE: &str = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available: \
                           2 No preemption victims found for incoming pod.";

#[test]
fn the_sentence_of_the_design() {
    let around = cluster(
        vec![node("a", 2, 81_559), node("b", 1, 81_559)],
        vec![
            holding("ml", "chat-service", "a", 2),
            holding("secret-project", "hidden", "b", 1),
        ],
    );
    let finding = explain(&waiting(NO_GPU_FREE), Some(&need()), &around);
    assert_eq!(finding.reason, Reason::GpusTaken);
    assert_eq!(
        finding.message,
        "Pod code-7c9f-x2x4q waits for a node: it needs 2 nvidia.com/gpu with 80 GiB each; 3 such GPUs exist, 2 are \
         taken by llmdeployment chat-service, 1 in other namespaces. Lower spec.gpu.count, free some, or add a node."
    );
    assert!(
        !finding.message.contains("hidden"),
        "a tenant learns nothing of another"
    );
}

#[test]
fn enough_in_total_but_not_on_one_node() {
    let around = cluster(
        vec![node("a", 2, 81_559), node("b", 2, 81_559)],
        vec![holding("ml", "chat", "a", 1), holding("ml", "code", "b", 1)],
    );
    let finding = explain(&waiting(NO_GPU_FREE), Some(&need()), &around);
    assert_eq!(finding.reason, Reason::GpusTaken);
    assert!(
        finding.message.contains("1 is taken by its own other Pods")
            && finding.message.contains("Ask for one replica fewer, lower"),
        "{}",
        finding.message
    );
    assert!(
        finding.message.contains("2 are free, but not 2 on one node"),
        "{}",
        finding.message
    );
}

#[test]
fn holders_that_are_not_watched_are_not_called_free() {
    let around = cluster(vec![node("a", 8, 81_559)], vec![]);
    let finding = explain(&waiting(NO_GPU_FREE), Some(&need()), &around);
    assert_eq!(finding.reason, Reason::GpusTaken);
    assert!(
        finding.message.contains("held by Pods unknown here"),
        "{}",
        finding.message
    );
}

#[test]
fn no_such_gpu() {
    let selector = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    for (nodes, message, words) in [
        (
            vec![node("a", 8, 15_360)],
            selector,
            "no node carries such a GPU (there are 8 NVIDIA-H100-80GB-HBM3 with 15360 MiB)",
        ),
        (
            vec![node("a", 0, 81_559)],
            NO_GPU_FREE,
            "no node carries nvidia.com/gpu",
        ),
        (
            vec![node("a", 1, 81_559)],
            NO_GPU_FREE,
            "no node carries more than 1 such GPU. Lower spec.gpu.count to 1",
        ),
    ] {
        let finding = explain(&waiting(message), Some(&need()), &cluster(nodes, vec![]));
        assert_eq!(finding.reason, Reason::NoSuchGpu);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn gpus_behind_a_taint() {
    let mut tainted = node("a", 8, 81_559);
    tainted.taints = [TaintFacts {
        key: "dedicated".into(),
        value: "research".into(),
        effect: "NoSchedule".into(),
    }]
    .into();
    let message = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";
    let around = cluster(vec![tainted], vec![]);
    let finding = explain(&waiting(message), Some(&need()), &around);
    assert_eq!(finding.reason, Reason::NodeTaints);
    assert!(
        finding.message.contains("tainted with dedicated"),
        "{}",
        finding.message
    );

    let mut tolerating = waiting("0/1 nodes are available: 1 Insufficient memory.");
    tolerating.placement = Some(Box::new(Placement {
        tolerated: ["dedicated".into()].into(),
        memory: "2Ti".into(),
        ..Placement::default()
    }));
    let finding = explain(&tolerating, Some(&need()), &around);
    assert_eq!(
        finding.reason,
        Reason::InsufficientMemory,
        "GPUs are free, memory is not"
    );
    assert!(
        finding
            .message
            .contains("1 lacks free memory (the Pod asks for 2Ti)"),
        "{}",
        finding.message
    );
}

#[test]
fn the_nearest_node_decides() {
    let mut pod = waiting("");
    pod.devices = Box::default();
    pod.placement = Some(Box::new(Placement {
        node_selector: ["pool=a100".into()].into(),
        ..Placement::default()
    }));
    let mut bare = pod.clone();
    bare.placement = Some(Box::default());
    for (pod, message, reason) in [
        (
            &pod,
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).",
            Reason::InsufficientCpu,
        ),
        (
            &pod,
            "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods.",
            Reason::InsufficientMemory,
        ),
        (
            &pod,
            "0/1 nodes are available: 1 Insufficient ephemeral-storage.",
            Reason::InsufficientStorage,
        ),
        (
            &pod,
            "0/1 nodes are available: 1 Too many pods.",
            Reason::TooManyPods,
        ),
        (
            &pod,
            "0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.",
            Reason::NodeTaints,
        ),
        (
            &pod,
            "0/1 nodes are available: 1 node(s) were unschedulable.",
            Reason::NodeTaints,
        ),
        (
            &pod,
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            Reason::NodeSelectorMismatch,
        ),
        (
            &bare,
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            Reason::NodeAffinityMismatch,
        ),
        (
            &bare,
            "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.",
            Reason::NodeAffinityMismatch,
        ),
        (
            &bare,
            "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.",
            Reason::TopologySpread,
        ),
        (
            &bare,
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
            Reason::VolumeNodeConflict,
        ),
        (
            &bare,
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
            Reason::PortTaken,
        ),
        (
            &bare,
            "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
            Reason::ClaimPending,
        ),
        (
            &bare,
            "0/1 nodes are available: 1 something new.",
            Reason::Unschedulable,
        ),
        (&bare, "something new", Reason::Unschedulable),
        (&bare, "no nodes available to schedule pods", Reason::NoNodes),
    ] {
        let mut pod = pod.clone();
        pod.scheduling = Scheduling::Refused {
            reason: "Unschedulable".into(),
            message: message.into(),
        };
        let finding = explain(&pod, None, &Snapshot::default());
        assert_eq!(finding.reason, reason, "{message}: {}", finding.message);
        assert!(
            finding
                .message
                .starts_with("Pod code-7c9f-x2x4q waits for a node: "),
            "{}",
            finding.message
        );
    }
}

#[test]
fn claims_that_keep_a_pod_from_its_node() {
    let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    let claim = |phase: &str, class: Option<&str>| ClaimFacts {
        namespace: "ml".into(),
        name: "weights".into(),
        phase: phase.into(),
        class: class.map(Into::into),
        requested: Some("100Gi".into()),
        access_modes: ["ReadWriteOnce".into()].into(),
        ..ClaimFacts::default()
    };
    for (message, claim, reason, words) in [
        (
            unbound,
            claim("Pending", Some("fast")),
            Reason::ClaimPending,
            "has made no volume of 100Gi",
        ),
        (
            unbound,
            claim("Pending", Some("nope")),
            Reason::StorageClassMissing,
            "storage class nope does not exist",
        ),
        (
            unbound,
            claim("Pending", None),
            Reason::StorageClassMissing,
            "no default",
        ),
        (
            unbound,
            claim("Pending", Some("")),
            Reason::ClaimPending,
            "no existing volume fits",
        ),
        (
            unbound,
            claim("Lost", Some("fast")),
            Reason::ClaimLost,
            "whose volume is gone",
        ),
        (
            "0/1 nodes are available: persistentvolumeclaim \"weights\" not found.",
            claim("Pending", None),
            Reason::ClaimMissing,
            "which does not exist",
        ),
    ] {
        let mut pod = waiting(message);
        pod.claims = ["weights".into()].into();
        let around = Snapshot {
            claims: vec![Arc::new(claim)],
            storage_classes: Some(vec!["fast".into()]),
            ..Snapshot::default()
        };
        let finding = explain(&pod, None, &around);
        assert_eq!(finding.reason, reason, "{}", finding.message);
        assert!(finding.message.contains(words), "{}", finding.message);
        assert!(finding.message.contains("weights"), "{}", finding.message);
    }
}

#[test]
fn gates_and_preemption_are_no_fault() {
    let mut gated = waiting("Scheduling is blocked due to non-empty scheduling gates");
    gated.scheduling = Scheduling::Refused {
        reason: "SchedulingGated".into(),
        message: "".into(),
    };
    let none = Snapshot::default();
    assert_eq!(explain(&gated, None, &none).reason, Reason::WaitingForScheduler);
    let preempting = waiting("waiting for the preemption for this pod to be finished");
    assert_eq!(
        explain(&preempting, None, &none).reason,
        Reason::WaitingForPreemption
    );
}

#[test]
fn a_node_in_trouble_is_told_by_its_trouble() {
    let need = need();
    for (taint, unschedulable, reason, words) in [
        (
            "node.kubernetes.io/disk-pressure",
            false,
            Reason::DiskPressure,
            "on node a, which is short of disk. Free disk there",
        ),
        (
            "node.kubernetes.io/unschedulable",
            true,
            Reason::NodeTaints,
            "on node a, which is cordoned. Uncordon",
        ),
        (
            "node.kubernetes.io/unreachable",
            false,
            Reason::NodeTaints,
            "on node a, which is not ready. Uncordon or repair",
        ),
    ] {
        let mut troubled = node("a", 8, 81_559);
        troubled.unschedulable = unschedulable;
        troubled.taints = [TaintFacts {
            key: taint.into(),
            ..TaintFacts::default()
        }]
        .into();
        let around = cluster(vec![troubled], vec![]);
        let pod = waiting("0/1 nodes are available: 1 node(s) had untolerated taint(s).");
        let finding = explain(&pod, Some(&need), &around);
        assert_eq!(finding.reason, reason, "{}", finding.message);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

/// Who may not read nodes claims neither that no node has GPUs nor that they are taken.
#[test]
fn without_nodes_nothing_is_claimed_of_them() {
    for need in [Some(need()), None] {
        let finding = explain(
            &waiting(NO_GPU_FREE),
            need.as_ref(),
            &cluster(Vec::new(), Vec::new()),
        );
        assert_eq!(finding.reason, Reason::Unschedulable);
        assert!(finding.message.starts_with(
            "Pod code-7c9f-x2x4q waits for a node: of 2 nodes 2 lack free nvidia.com/gpu (the Pod asks for 2). Whether"
        ));
        for claim in ["no node carries", "exist,", "taken by"] {
            assert!(!finding.message.contains(claim), "{}", finding.message);
        }
    }
    // The scheduler's word about anything else is as good as ever.
    let cpu = "0/1 nodes are available: 1 Insufficient cpu.";
    let finding = explain(&waiting(cpu), Some(&need()), &cluster(Vec::new(), Vec::new()));
    assert_eq!(finding.reason, Reason::InsufficientCpu);
}
