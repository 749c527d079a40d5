//! Containers that ran: endings, probes, init containers.

use serde_json::json;

use super::*;

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
