//! Pods as the API server stores them, with the kubelet's own words, and the reason each must lead to.

mod before_start;
mod containers;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Snapshot,
    facts::{EventFacts, NodeFacts},
};

/// A bound Pod with one engine container in this state.
fn pod(state: &Value) -> PodFacts {
    let mut status = json!({"name": "engine", "image": "", "imageID": "", "ready": false, "restartCount": 0});
    for (key, value) in state.as_object().unwrap() {
        status[key] = value.clone();
    }
    built(&json!({"phase": "Pending", "containerStatuses": [status]}))
}

fn built(status: &Value) -> PodFacts {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "chat-7c9f-x2x4q", "namespace": "ml", "uid": "u1"},
        "spec": {
            "nodeName": "gpu-0",
            "imagePullSecrets": [{"name": "regcred"}],
            "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}],
            "initContainers": [{"name": "fetch", "image": "fetch:1"}],
            "containers": [{
                "name": "engine", "image": "registry.example.com/vllm:v1",
                "resources": {"limits": {"memory": "32Gi"}},
                "startupProbe": {"httpGet": {"port": 8000, "path": "/health"}, "periodSeconds": 10, "failureThreshold": 60},
                "readinessProbe": {"httpGet": {"port": 8000, "path": "/health"}},
                "livenessProbe": {"httpGet": {"port": 8000, "path": "/live"}}}]},
        "status": status
    }))
    .unwrap();
    PodFacts::from(&pod)
}

fn event(reason: &str, message: &str) -> Arc<EventFacts> {
    let event: Event = serde_json::from_value(json!({
        "metadata": {}, "involvedObject": {"kind": "Pod", "uid": "u1"}, "reason": reason, "message": message,
        "lastTimestamp": "2026-11-01T10:00:00Z"
    }))
    .unwrap();
    Arc::new(EventFacts::from(&event))
}

fn explained(pod: &PodFacts, events: &[(&str, &str)]) -> Finding {
    let around = Snapshot {
        events: events
            .iter()
            .map(|(reason, message)| event(reason, message))
            .collect(),
        ..Snapshot::default()
    };
    explain(pod, None, &around, None).unwrap()
}

fn waiting(reason: &str, message: &str) -> PodFacts {
    pod(&json!({"state": {"waiting": {"reason": reason, "message": message}}}))
}

/// A container that ended, in the three shapes the kubelet shows in turn.
fn ended(ending: &Value) -> [PodFacts; 3] {
    [
        pod(&json!({"restartCount": 2, "state": {"terminated": ending}})),
        pod(&json!({"restartCount": 2, "lastState": {"terminated": ending},
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=engine"}}})),
        pod(
            &json!({"restartCount": 2, "started": false, "lastState": {"terminated": ending},
            "state": {"running": {"startedAt": "2026-11-01T10:00:00Z"}}}),
        ),
    ]
}

#[track_caller]
fn assert_finding(finding: &Finding, reason: Reason, words: &str) {
    assert_eq!(finding.reason, reason, "{}", finding.message);
    assert!(
        finding.message.contains(words),
        "{words:?} is not in: {}",
        finding.message
    );
    assert!(finding.message.contains("chat-7c9f-x2x4q"), "{}", finding.message);
}

#[test]
fn given_up_by_node_or_person() {
    for (status, reason, told) in [
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}),
            Reason::Evicted,
            "low on resource: memory",
        ),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "}),
            Reason::DiskPressure,
            "lack of disk",
        ),
        (
            json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected"}),
            Reason::PodFailed,
            "Node gpu-0 refused",
        ),
        (json!({"phase": "Failed"}), Reason::PodFailed, "failed"),
        (json!({"phase": "Succeeded"}), Reason::PodFailed, "ended"),
        (
            json!({"phase": "Unknown", "reason": "NodeLost"}),
            Reason::NodeLost,
            "gpu-0",
        ),
        (json!({"phase": "Pending"}), Reason::Starting, "is starting"),
    ] {
        assert_finding(&explained(&built(&status), &[]), reason, told);
    }
    let mut ending = built(&json!({"phase": "Running"}));
    ending.deleting = true;
    assert_finding(&explained(&ending, &[]), Reason::Terminating, "is ending");

    let around = Snapshot {
        nodes: vec![Arc::new(NodeFacts {
            name: "gpu-0".into(),
            ready: false,
            ..NodeFacts::default()
        })],
        ..Snapshot::default()
    };
    let orphan = pod(&json!({"started": true, "state": {"running": {}}}));
    assert_finding(
        &explain(&orphan, None, &around, None).unwrap(),
        Reason::NodeLost,
        "gpu-0",
    );
}

#[test]
fn a_silent_scheduler_is_told_from_a_new_pod() {
    let created: Timestamp = "2026-11-01T10:00:00Z".parse().unwrap();
    let new = PodFacts {
        name: "chat-7c9f-x2x4q".into(),
        created: Some(created),
        ..PodFacts::default()
    };
    let around = Snapshot::default();
    let later = created.checked_add(SCHEDULER_PATIENCE).unwrap();
    for (now, reason) in [
        (None, Reason::Starting),
        (Some(created), Reason::Starting),
        (Some(later), Reason::WaitingForScheduler),
    ] {
        assert_eq!(explain(&new, None, &around, now).unwrap().reason, reason);
    }
}

proptest! {
    #[test]
    fn no_words_of_others_break_it(
        words in "(\\PC|\n|\"|secret \"|configmap \"|couldn't find key | in Secret |statuscode: |Back-off pulling image|: |exec: )*",
        reason in prop::sample::select(vec![
            "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "RunContainerError", "CrashLoopBackOff",
            "ContainerCreating", "", "é"]),
        event in prop::sample::select(vec!["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Unhealthy", "Failed"]),
        code in any::<i32>(),
    ) {
        let events = [(event, words.as_str())];
        let mut shapes = vec![waiting(reason, &words), pod(&json!({"started": true, "state": {"running": {}}}))];
        shapes.extend(ended(&json!({"exitCode": code, "message": words, "reason": reason})));
        for shape in &shapes {
            let finding = explained(shape, &events);
            prop_assert!(finding.message.chars().count() <= crate::MESSAGE_LIMIT);
            prop_assert!(!finding.message.chars().any(char::is_control));
        }
    }
}
