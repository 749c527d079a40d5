//! Pods as the API server stores them, with the kubelet's own words, and the reason each must lead to.

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
fn images() {
    let image = "registry.example.com/vllm:v1";
    let not_found = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    );
    let unauthorized = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": failed to authorize: \
         failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized: authentication required"
    );
    let denied = "pull access denied, repository does not exist or may require authorization: server message: \
                  insufficient_scope: authorization failed";
    let dns = "failed to do request: Head \"https://registry.example.com/v2/\": dial tcp: lookup registry.example.com \
               on 10.0.0.10:53: no such host";
    for (words, reason, told) in [
        (
            not_found.as_str(),
            Reason::ImageNotFound,
            "the registry has no image",
        ),
        (
            unauthorized.as_str(),
            Reason::ImagePullFailed,
            "check image pull secret regcred",
        ),
        (denied, Reason::ImagePullFailed, "denies access"),
        (dns, Reason::ImagePullFailed, "host name does not resolve"),
        (
            "no match for platform in manifest: not found",
            Reason::ImageNotFound,
            "platform",
        ),
        (
            "write /var/lib/containerd/x: no space left on device",
            Reason::DiskPressure,
            "no disk space",
        ),
        ("something new", Reason::ImagePullFailed, "something new"),
    ] {
        let first = explained(&waiting("ErrImagePull", words), &[]);
        assert_finding(&first, reason, told);
        let backoff = format!("Back-off pulling image \"{image}\": ErrImagePull: {words}");
        assert_eq!(
            first,
            explained(&waiting("ImagePullBackOff", &backoff), &[]),
            "no churn between retries"
        );
        let old_kubelet = waiting("ImagePullBackOff", &format!("Back-off pulling image \"{image}\""));
        let failed = format!("Failed to pull image \"{image}\": {words}");
        assert_eq!(
            first.reason,
            explained(&old_kubelet, &[("Failed", &failed)]).reason
        );
    }
    let secret = explained(
        &waiting("ErrImagePull", denied),
        &[(
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
        )],
    );
    assert_finding(
        &secret,
        Reason::ImagePullSecretMissing,
        "image pull secret regcred does not exist in namespace ml",
    );
    let invalid = waiting(
        "InvalidImageName",
        "Failed to apply default image tag \"A:b:c\": couldn't parse image name \"A:b:c\": invalid reference format",
    );
    assert_finding(&explained(&invalid, &[]), Reason::InvalidImageName, image);
    let never = waiting(
        "ErrImageNeverPull",
        "Container image \"registry.example.com/vllm:v1\" is not present with pull policy of Never",
    );
    assert_finding(
        &explained(&never, &[]),
        Reason::ImageNotFound,
        "pull policy is Never",
    );
}

#[test]
fn configuration() {
    for (reason, message, expected, told) in [
        (
            "CreateContainerConfigError",
            "secret \"hf\" not found",
            Reason::SecretMissing,
            "needs Secret hf",
        ),
        (
            "CreateContainerConfigError",
            "configmap \"args\" not found",
            Reason::ConfigMapMissing,
            "needs ConfigMap args",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key token in Secret ml/hf",
            Reason::SecretMissing,
            "key token of Secret hf",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key a in ConfigMap ml/args",
            Reason::ConfigMapMissing,
            "key a of ConfigMap args",
        ),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root (pod: \"chat_ml(30213ae1-70fb-4042-b8a0-bf38f585af99)\", container: engine)",
            Reason::ContainerConfigError,
            "image will run as root. Correct its security context",
        ),
        (
            "RunContainerError",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
             failed: unable to start container process: exec: \"vlm\": executable file not found in $PATH: unknown",
            Reason::ContainerConfigError,
            "exec: \"vlm\": executable file not found",
        ),
        ("SomethingNew", "words", Reason::UnknownNotReady, "words"),
    ] {
        assert_finding(&explained(&waiting(reason, message), &[]), expected, told);
    }
}

#[test]
fn volumes_and_sandbox() {
    let creating = waiting("ContainerCreating", "");
    for (reason, message, expected, told) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"cfg\" : configmap \"args\" not found",
            Reason::ConfigMapMissing,
            "args",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : secret \"tls\" not found",
            Reason::SecretMissing,
            "Secret tls",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : references non-existent secret key: crt",
            Reason::SecretMissing,
            "key crt",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"pv\" : mount failed: exit status 32",
            Reason::VolumeMountFailed,
            "claim weights",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pv-1\" Volume is already used by pod(s) chat-1",
            Reason::VolumeAttachFailed,
            "ReadWriteMany",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"nvidia\" is configured",
            Reason::RuntimeClassMissing,
            "nvidia",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"0123456789abcdef0123\": cni plugin not initialized",
            Reason::SandboxFailed,
            "cni plugin not initialized",
        ),
    ] {
        let finding = explained(&creating, &[(reason, message)]);
        assert_finding(&finding, expected, told);
        assert!(!finding.message.contains("0123456789ab"), "{}", finding.message);
    }
    assert_finding(&explained(&creating, &[]), Reason::Starting, "is starting");
    let mut pulling = creating;
    pulling.sandbox_ready = true;
    let stale = [(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"cfg\" : configmap \"args\" not found",
    )];
    assert_finding(
        &explained(&pulling, &stale),
        Reason::PullingImage,
        "pulls image registry.example.com/vllm:v1",
    );
}

#[test]
fn endings_read_the_same_while_the_kubelet_retries() {
    let argparse = "usage: vllm serve [options]\nvllm serve: error: unrecognized arguments: --max-len 5\n";
    let unpacking = "curl: (22) The requested URL returned error: 404\n\ngzip: stdin: unexpected end of file\n\
                     tar: Child returned status 1\ntar: Error is not recoverable: exiting now\n";
    let oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.1 GiB";
    let kv = "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is \
              needed, which is larger than the available KV cache memory (4.10 GiB).";
    for (ending, expected, told) in [
        (
            json!({"exitCode": 1, "reason": "Error", "message": "Traceback\nValueError: no such model\n"}),
            Reason::CrashLooping,
            "exit code 1 (restarts: 2): ValueError: no such model",
        ),
        (
            json!({"exitCode": 2, "reason": "Error", "message": unpacking}),
            Reason::CrashLooping,
            "exit code 2 (restarts: 2): curl: (22) The requested URL returned error: 404",
        ),
        (
            json!({"exitCode": 2, "reason": "Error", "message": "error: a value is required for '--port'\n"}),
            Reason::EngineRefusedArguments,
            "a value is required",
        ),
        (
            json!({"exitCode": 139, "reason": "Error"}),
            Reason::CrashLooping,
            "segmentation fault",
        ),
        (
            json!({"exitCode": 137, "reason": "OOMKilled"}),
            Reason::OutOfMemory,
            "memory limit of 32Gi",
        ),
        (
            json!({"exitCode": 1, "reason": "Error", "message": oom}),
            Reason::GpuOutOfMemory,
            "CUDA out of memory",
        ),
        (
            json!({"exitCode": 1, "reason": "Error", "message": kv}),
            Reason::GpuOutOfMemory,
            "KV cache",
        ),
        (
            json!({"exitCode": 2, "reason": "Error", "message": argparse}),
            Reason::EngineRefusedArguments,
            "unrecognized arguments: --max-len 5",
        ),
        (
            json!({"exitCode": 1, "reason": "Error", "message": "Error: unknown flag: --prot"}),
            Reason::EngineRefusedArguments,
            "--prot",
        ),
        (
            json!({"exitCode": 128, "reason": "StartError", "message": "failed to create containerd task: exec: \"vlm\": executable file not found in $PATH"}),
            Reason::ContainerConfigError,
            "exec: \"vlm\"",
        ),
        (
            json!({"exitCode": 137, "reason": "Error", "startedAt": "2026-11-01T10:00:00Z", "finishedAt": "2026-11-01T10:10:25Z"}),
            Reason::LoadTimeout,
            "startup probe GET :8000/health did not pass within 10 min (restarts: 2)",
        ),
    ] {
        let shapes = ended(&ending);
        let first = explained(&shapes[0], &[]);
        assert_finding(&first, expected, told);
        for shape in &shapes[1..] {
            assert_eq!(first, explained(shape, &[]));
        }
    }
}

#[test]
fn a_single_outside_end_is_no_crash() {
    let restarted = pod(&json!({"restartCount": 1, "started": false,
        "lastState": {"terminated": {"exitCode": 255, "reason": "Unknown"}},
        "state": {"running": {}}}));
    assert_finding(
        &explained(&restarted, &[]),
        Reason::LoadingModel,
        "within its budget of 10 min",
    );
}

#[test]
fn probes() {
    let loading = pod(&json!({"started": false, "state": {"running": {}}}));
    let refused = "Startup probe failed: Get \"http://127.1.0.7:8000/health\": dial tcp 127.1.0.7:8000: connect: connection refused";
    for events in [
        &[][..],
        &[("Unhealthy", refused)],
        &[(
            "Unhealthy",
            "Startup probe failed: HTTP probe failed with statuscode: 503",
        )],
    ] {
        assert_finding(
            &explained(&loading, events),
            Reason::LoadingModel,
            "startup probe GET :8000/health",
        );
    }
    let wrong = [(
        "Unhealthy",
        "Startup probe failed: HTTP probe failed with statuscode: 404",
    )];
    assert_finding(
        &explained(&loading, &wrong),
        Reason::ProbeFailing,
        "startup probe GET :8000/health fails: HTTP status 404",
    );

    let started = pod(&json!({"started": true, "state": {"running": {}}}));
    assert_finding(
        &explained(&started, &[]),
        Reason::LoadingModel,
        "waits for readiness probe",
    );
    let unready = [(
        "Unhealthy",
        "Readiness probe failed: Get \"http://127.1.0.7:8000/health\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    )];
    assert_finding(
        &explained(&started, &unready),
        Reason::LoadingModel,
        "waits for readiness probe",
    );
    let others = [
        ("Unhealthy", "Readiness probe failed: connection refused"),
        (
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
        unready[0],
    ];
    assert_finding(
        &explained(&started, &others),
        Reason::ProbeFailing,
        "readiness probe",
    );
    let wrong = [(
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 404",
    )];
    assert_finding(
        &explained(&started, &wrong),
        Reason::ProbeFailing,
        "HTTP status 404",
    );
    let lost = built(&json!({"phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-01T10:00:07Z"}],
        "containerStatuses": [{"name": "engine", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "started": true, "state": {"running": {"startedAt": "2026-11-01T10:00:00Z"}}}]}));
    let finding = explained(&lost, &unready);
    assert_finding(
        &finding,
        Reason::ProbeFailing,
        "readiness probe GET :8000/health fails: no answer in time",
    );
    assert!(
        !finding.message.contains("127.1.0.7"),
        "a Pod's address is no part of the cause"
    );

    let [killed, ..] = ended(&json!({"exitCode": 137, "reason": "Error",
        "startedAt": "2026-11-01T10:00:00Z", "finishedAt": "2026-11-01T14:00:00Z"}));
    let live = [(
        "Unhealthy",
        "Liveness probe failed: HTTP probe failed with statuscode: 500",
    )];
    assert_finding(
        &explained(&killed, &live),
        Reason::ProbeFailing,
        "liveness probe GET :8000/live failed",
    );
    assert_finding(&explained(&killed, &[]), Reason::CrashLooping, "exit code 137");
}

#[test]
fn init_containers_come_first() {
    let status = |init: &Value| {
        built(&json!({"phase": "Pending",
            "initContainerStatuses": [{"name": "fetch", "image": "", "imageID": "", "ready": false,
                "restartCount": 3, "state": init}],
            "containerStatuses": [{"name": "engine", "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}]}))
    };
    let failed =
        status(&json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "404 for model x"}}));
    assert_finding(
        &explained(&failed, &[]),
        Reason::CrashLooping,
        "Init container fetch",
    );
    let mut running = status(&json!({"running": {}}));
    assert_finding(
        &explained(&running, &[]),
        Reason::PreparingModel,
        "init container fetch",
    );
    running.containers[0].restarts = 0;
    assert_finding(
        &explained(&running, &[]),
        Reason::PreparingModel,
        "init container fetch",
    );
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
