//! Deployments with their Pods, and the two conditions a person reads.

use super::*;
use crate::{
    MESSAGE_LIMIT, Snapshot,
    facts::{ConditionFacts, ContainerFacts, ContainerState, PodPhase, Scheduling},
};

fn deployment(desired: i32, updated: i32) -> WorkloadFacts {
    WorkloadFacts {
        kind: "Deployment",
        namespace: "ml".into(),
        name: "chat".into(),
        desired,
        updated,
        generation: 2,
        observed_generation: 2,
        progressing: Some(ConditionFacts {
            holds: true,
            reason: "ReplicaSetUpdated".into(),
            message: "ReplicaSet \"chat-new\" is progressing.".into(),
        }),
        ..WorkloadFacts::default()
    }
}

fn pod(name: &str, hash: &str, state: Option<&str>) -> Arc<PodFacts> {
    let container = ContainerFacts {
        name: "engine".into(),
        image: "vllm:v1".into(),
        state: state.map_or(ContainerState::Running, |reason| ContainerState::Waiting {
            reason: reason.into(),
            message: "x: not found".into(),
        }),
        ready: state.is_none(),
        ..ContainerFacts::default()
    };
    Arc::new(PodFacts {
        namespace: "ml".into(),
        name: format!("chat-{hash}-{name}").into(),
        template_hash: Some(hash.into()),
        node: Some("n".into()),
        scheduling: Scheduling::Placed,
        phase: PodPhase::Running,
        ready: state.is_none(),
        containers: [container].into(),
        ..PodFacts::default()
    })
}

fn explained(workload: &WorkloadFacts, pods: &[Arc<PodFacts>]) -> Explanation {
    let around = Snapshot::default();
    let one = Input {
        workload: Some(workload),
        desired: 9,
        single: false,
        pods,
        need: None,
        around: &around,
        now: None,
    };
    let explanation = explain(&one);
    let mut turned = pods.to_vec();
    turned.reverse();
    assert_eq!(
        explanation,
        explain(&Input { pods: &turned, ..one }),
        "the order of Pods does not matter"
    );
    explanation
}

const BAD: Option<&str> = Some("ErrImagePull");
const NEW: Option<&str> = Some("ContainerCreating");

#[test]
fn all_replicas_serve() {
    let pods = [pod("a", "new", None), pod("b", "new", None)];
    let told = explained(&deployment(2, 2), &pods);
    assert_eq!(told.message, "2 of 2 replicas serve.");
    assert_eq!(
        (told.serves, told.reason, told.state),
        (true, Reason::AllReplicasReady, State::Ready)
    );
    assert_eq!((told.ready, told.desired, told.progress.advancing), (2, 2, true));
}

#[test]
fn a_lagging_count_of_the_controller_does_not_delay_ready() {
    let pods = [pod("a", "new", None)];
    let told = explained(&deployment(1, 0), &pods);
    assert_eq!(told.reason, Reason::AllReplicasReady);
}

#[test]
fn the_worst_pod_is_told_and_the_others_counted() {
    let pods = [
        pod("a", "new", None),
        pod("b", "new", NEW),
        pod("c", "new", BAD),
        pod("d", "new", BAD),
    ];
    let told = explained(&deployment(4, 4), &pods);
    assert_eq!(
        told.message,
        "1 of 4 replicas serve: Pod chat-new-c: the registry has no image vllm:v1. Correct the image or its tag, or \
         push it. And 1 Pod likewise, 1 Pod Starting."
    );
    assert_eq!(
        (told.serves, told.reason, told.state),
        (false, Reason::ImageNotFound, State::Blocked)
    );
    assert!(!told.progress.advancing);
}

#[test]
fn a_rollout_is_told_and_does_not_cost_readiness() {
    let pods = [
        pod("a", "old", None),
        pod("b", "old", None),
        pod("c", "new", None),
        pod("d", "new", NEW),
    ];
    let told = explained(&deployment(3, 2), &pods);
    assert_eq!(told.message, "3 of 3 replicas serve; 1 of 3 run the new version.");
    assert_eq!(
        (told.serves, told.reason, told.state),
        (true, Reason::RollingOut, State::Progressing)
    );
    assert!(told.progress.advancing);
}

/// Scaled to zero, changed back to an earlier template, scaled up: the condition goes on to name the version in between.
#[test]
fn a_condition_about_a_version_before_does_not_hide_that_all_pods_are_new() {
    let mut workload = deployment(2, 2);
    workload.total = 2;
    workload.progressing = Some(ConditionFacts {
        holds: true,
        reason: "NewReplicaSetAvailable".into(),
        message: "ReplicaSet \"chat-between\" has successfully progressed.".into(),
    });
    let pods = [pod("a", "again", None), pod("b", "again", None)];
    let told = explained(&workload, &pods);
    assert_eq!(
        (told.reason, told.state),
        (Reason::AllReplicasReady, State::Ready)
    );

    let failing = [pod("a", "again", BAD), pod("b", "again", BAD)];
    assert_eq!(explained(&workload, &failing).reason, Reason::ImageNotFound);
    workload.total = 3;
    let told = explained(
        &workload,
        &[pods[0].clone(), pods[1].clone(), pod("c", "between", None)],
    );
    assert_eq!(
        told.reason,
        Reason::RollingOut,
        "as long as others are counted, the condition says which are new"
    );
}

#[test]
fn a_stuck_rollout_keeps_ready_and_says_so_thrice() {
    let pods = [pod("a", "old", None), pod("b", "old", None), pod("c", "new", BAD)];
    let told = explained(&deployment(2, 1), &pods);
    assert!(told.serves, "users are served by the old version");
    assert_eq!((told.reason, told.state), (Reason::RollingOut, State::Blocked));
    assert!(
        told.message.starts_with(
            "2 of 2 replicas serve, but the new version does not come up (0 of 2 updated): Pod chat-new-c"
        ),
        "{}",
        told.message
    );
    assert_eq!(
        (told.progress.advancing, told.progress.reason),
        (false, Reason::ImageNotFound)
    );
}

#[test]
fn a_spec_that_the_controller_has_not_seen_is_not_complete() {
    let mut workload = deployment(1, 1);
    workload.generation = 3;
    let told = explained(&workload, &[pod("a", "new", None)]);
    assert_eq!(
        (told.serves, told.reason, told.state),
        (true, Reason::RollingOut, State::Progressing)
    );
}

#[test]
fn the_new_version_first_then_the_old() {
    let pods = [pod("a", "old", BAD), pod("c", "new", NEW)];
    assert_eq!(explained(&deployment(1, 1), &pods).reason, Reason::Starting);
    let pods = [pod("a", "old", BAD), pod("c", "new", None)];
    assert_eq!(explained(&deployment(2, 1), &pods).reason, Reason::ImageNotFound);
}

#[test]
fn refused_pods_count_while_they_are_missing() {
    let mut workload = deployment(2, 1);
    workload.replica_failure = Some(ConditionFacts {
        holds: true,
        reason: "FailedCreate".into(),
        message:
            "pods \"chat-new-q\" is forbidden: exceeded quota: gpus, requested: a=1, used: a=8, limited: a=8"
                .into(),
    });
    let told = explained(&workload, &[pod("a", "new", None)]);
    assert_eq!(told.reason, Reason::QuotaExceeded);
    assert!(
        told.message
            .starts_with("1 of 2 replicas serve: Pods cannot be created: exceeded quota: gpus"),
        "{}",
        told.message
    );
    let told = explained(&workload, &[pod("a", "new", None), pod("b", "new", NEW)]);
    assert_eq!(
        told.reason,
        Reason::Starting,
        "an old refusal is no cause any more"
    );
    let told = explained(&workload, &[pod("a", "old", None), pod("b", "old", None)]);
    assert_eq!(
        (told.serves, told.progress.reason),
        (true, Reason::QuotaExceeded),
        "a rollout without room"
    );
}

#[test]
fn stopped_starting_terminating() {
    assert_eq!(explained(&deployment(0, 0), &[]).state, State::Stopped);
    let last = explained(&deployment(0, 0), &[pod("a", "new", None)]);
    assert_eq!((last.ready, last.serves), (1, false));
    let told = explained(&deployment(2, 0), &[]);
    assert_eq!(told.message, "0 of 2 replicas serve: Pods are being created.");
    let mut deleting = deployment(1, 1);
    deleting.deleting = true;
    assert_eq!(explained(&deleting, &[]).state, State::Terminating);
    let around = Snapshot::default();
    let none = explain(&Input {
        workload: None,
        desired: 3,
        single: false,
        pods: &[],
        need: None,
        around: &around,
        now: None,
    });
    assert_eq!((none.desired, none.reason), (3, Reason::Starting));
}

#[test]
fn records_of_failed_pods_do_not_hide_their_successors() {
    let mut failed = (*pod("a", "new", BAD)).clone();
    failed.phase = PodPhase::Failed;
    failed.reason = Some("Evicted".into());
    let failed = Arc::new(failed);
    let told = explained(&deployment(1, 1), &[failed.clone(), pod("b", "new", NEW)]);
    assert_eq!(told.reason, Reason::Starting);
    assert_eq!(
        explained(&deployment(1, 1), std::slice::from_ref(&failed)).reason,
        Reason::Evicted
    );
    assert_eq!(
        explained(&deployment(1, 1), &[failed, pod("b", "new", None)]).reason,
        Reason::AllReplicasReady
    );
}

#[test]
fn an_ending_pod_serves_no_more() {
    let mut ending = (*pod("a", "new", None)).clone();
    ending.deleting = true;
    let told = explained(&deployment(1, 1), &[Arc::new(ending)]);
    assert_eq!(
        (told.ready, told.serves, told.reason),
        (0, false, Reason::Terminating)
    );
}

#[test]
fn many_long_causes_fit_a_condition() {
    let mut pods: Vec<Arc<PodFacts>> = Vec::new();
    for number in 0..50 {
        let mut long = (*pod(&number.to_string(), "new", BAD)).clone();
        long.containers[0].image = "x".repeat(2000).into();
        pods.push(Arc::new(long));
    }
    let told = explained(&deployment(50, 50), &pods);
    assert!(told.message.chars().count() <= MESSAGE_LIMIT);
    assert!(
        told.message.ends_with(" And 49 Pods likewise."),
        "{}",
        told.message
    );
}

#[test]
fn without_a_progress_deadline_the_newest_pod_tells_the_version() {
    let mut workload = deployment(1, 1);
    workload.progressing = None;
    let mut old = (*pod("a", "old", None)).clone();
    old.created = "2026-11-01T10:00:00Z".parse().ok();
    let mut new = (*pod("z", "zzz", BAD)).clone();
    new.created = "2026-11-01T11:00:00Z".parse().ok();
    let told = explained(&workload, &[Arc::new(old), Arc::new(new)]);
    assert_eq!((told.serves, told.progress.reason), (true, Reason::ImageNotFound));
}

#[test]
fn of_one_pod_nothing_is_counted() {
    let around = Snapshot::default();
    let told = |pods: &[Arc<PodFacts>]| {
        explain(&Input {
            workload: None,
            desired: 1,
            single: true,
            pods,
            need: None,
            around: &around,
            now: None,
        })
        .message
    };
    assert_eq!(told(&[]), "The Pod is being created.");
    assert_eq!(told(&[pod("a", "new", None)]), "The Pod serves.");
    let waiting = told(&[pod("a", "new", BAD)]);
    assert!(waiting.starts_with("Pod chat-new-a: "), "{waiting}");
}
