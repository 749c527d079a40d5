//! How containers and Pods end: crashes, probes, deletion, eviction, lost nodes.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use testkit::{NodeSpec, Target, until};

use crate::bed::{Bed, LIMIT, phase, ready, status, waiting};

#[tokio::test]
async fn probes_decide_about_readiness_and_restarts() {
    let bed = Bed::new("probes").await;
    bed.pod(
        "wrong-port",
        json!({ "readinessProbe": { "httpGet": { "path": "/health", "port": 9 }, "periodSeconds": 1 } }),
    )
    .await;
    bed.until_event("Unhealthy", "Readiness probe failed: Get \"http://127.")
        .await;
    let pod = bed
        .until_pod("wrong-port", "running", |pod| phase(pod) == "Running")
        .await;
    assert!(!ready(&pod));

    bed.pod(
        "dead",
        json!({
            "livenessProbe": { "tcpSocket": { "port": 9 }, "periodSeconds": 1, "failureThreshold": 1 },
        }),
    )
    .await;
    bed.until_pod("dead", "restarted", |pod| {
        status(pod).is_some_and(|s| s.restart_count > 0)
    })
    .await;
    bed.until_event(
        "Killing",
        "Container engine failed liveness probe, will be restarted",
    )
    .await;

    bed.pod(
        "toggled",
        json!({ "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1, "failureThreshold": 1 } }),
    )
    .await;
    bed.until_pod("toggled", "ready", ready).await;
    let faults = bed.cluster.nodes().unwrap().faults();
    let target = Target::pods("probes", "toggled");
    faults.fail_readiness(&target);
    bed.until_pod("toggled", "not ready", |pod| !ready(pod)).await;
    faults.heal(&target);
    bed.until_pod("toggled", "ready again", ready).await;
}

#[tokio::test]
async fn crashes_are_backed_off_and_say_why() {
    let bed = Bed::new("crashes").await;
    let faults = bed.cluster.nodes().unwrap().faults();
    faults.crash_at_start(
        &Target::pods("crashes", "crashing"),
        3,
        "CUDA error: out of memory",
    );
    bed.pod(
        "crashing",
        json!({ "terminationMessagePolicy": "FallbackToLogsOnError" }),
    )
    .await;
    let pod = bed
        .until_pod("crashing", "CrashLoopBackOff", |pod| {
            waiting(pod, "CrashLoopBackOff").is_some()
        })
        .await;
    let status_of = status(&pod).unwrap();
    let last = status_of
        .last_state
        .as_ref()
        .unwrap()
        .terminated
        .as_ref()
        .unwrap();
    assert_eq!((last.exit_code, last.reason.as_deref()), (3, Some("Error")));
    assert!(
        last.message
            .as_deref()
            .unwrap()
            .ends_with("CUDA error: out of memory\n"),
        "{last:?}"
    );
    bed.until_event(
        "BackOff",
        "Back-off restarting failed container engine in pod crashing_crashes(",
    )
    .await;
    let args = ["logs", "-n", "crashes", "crashing", "--previous"];
    let output = until("previous logs", LIMIT, async || {
        let output = bed.cluster.kubectl(&args).await.unwrap();
        if output.status.success() {
            Ok(output)
        } else {
            Err(format!("{output:?}"))
        }
    })
    .await
    .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("CUDA error"));
    faults.heal(&Target::pods("crashes", "crashing"));
    bed.until_pod("crashing", "ready once healed", ready).await;

    bed.pod("eaten", json!({ "resources": { "limits": { "memory": "1Gi" } } }))
        .await;
    bed.until_pod("eaten", "ready", ready).await;
    assert_eq!(faults.oom(&Target::pods("crashes", "eaten")), 1);
    let pod = bed
        .until_pod("eaten", "restarted", |pod| {
            status(pod).is_some_and(|s| s.restart_count == 1)
        })
        .await;
    let last = status(&pod)
        .unwrap()
        .last_state
        .clone()
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!((last.exit_code, last.reason.as_deref()), (137, Some("OOMKilled")));
}

#[tokio::test]
async fn evictions_and_lost_nodes_show() {
    let bed = Bed::new("losses").await;
    let nodes = bed.cluster.nodes().unwrap();
    bed.pod("evicted", json!({})).await;
    bed.until_pod("evicted", "ready", ready).await;
    assert_eq!(nodes.faults().evict(&Target::pods("losses", "evicted")), 1);
    let pod = bed
        .until_pod("evicted", "failed", |pod| phase(pod) == "Failed")
        .await;
    assert_eq!(pod.status.unwrap().reason.as_deref(), Some("Evicted"));

    nodes.add(NodeSpec::cpu("short-lived")).await.unwrap();
    let there = json!({ "nodeSelector": { "kubernetes.io/hostname": "short-lived" } });
    bed.pod_with("lost", json!({}), there).await;
    bed.until_pod("lost", "ready", ready).await;
    let api: Api<Node> = Api::all(bed.client.clone());
    nodes
        .faults()
        .node_not_ready("short-lived", Some("container runtime is down"));
    until("the node not ready", LIMIT, async || {
        let node = api.get("short-lived").await.unwrap();
        let conditions = node.status.and_then(|s| s.conditions).unwrap_or_default();
        conditions
            .into_iter()
            .find(|c| c.type_ == "Ready" && c.status == "False")
    })
    .await
    .unwrap();
    nodes.remove("short-lived").await.unwrap();
    assert!(api.get_opt("short-lived").await.unwrap().is_none());
}

#[tokio::test]
async fn deletion_runs_the_hook_and_keeps_to_the_grace_period() {
    let bed = Bed::new("deletion").await;
    let trap = "trap 'echo terminated; exit 0' TERM; echo up; while true; do sleep 0.05; done";
    bed.pod_with(
        "hooked",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", trap],
            "lifecycle": { "preStop": { "exec": { "command": ["sh", "-c", "echo hook > /shared/hook"] } } },
            "volumeMounts": [{ "name": "shared", "mountPath": "/shared" }],
        }),
        json!({
            "volumes": [{ "name": "shared", "persistentVolumeClaim": { "claimName": "shared" } }],
            "terminationGracePeriodSeconds": 20,
        }),
    )
    .await;
    bed.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "shared" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    }))
    .await;
    bed.until_pod("hooked", "ready", ready).await;
    let nodes = bed.cluster.nodes().unwrap();
    until("the trap set", LIMIT, async || {
        nodes
            .logs("deletion", "hooked", "engine")
            .filter(|l| l.contains("up"))
    })
    .await
    .unwrap();
    bed.api::<Pod>()
        .delete("hooked", &DeleteParams::default())
        .await
        .unwrap();
    until("the Pod gone", Duration::from_secs(15), async || {
        bed.api::<Pod>()
            .get_opt("hooked")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await
    .unwrap();
    // The claim has outlived the Pod, and with it what the hook wrote.
    bed.pod_with(
        "reader",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", "cat /shared/hook"],
            "volumeMounts": [{ "name": "shared", "mountPath": "/shared" }],
        }),
        json!({
            "restartPolicy": "Never",
            "volumes": [{ "name": "shared", "persistentVolumeClaim": { "claimName": "shared" } }],
        }),
    )
    .await;
    bed.until_pod("reader", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    assert_eq!(
        nodes.logs("deletion", "reader", "engine").as_deref(),
        Some("hook\n")
    );

    // One that ignores SIGTERM is killed when its time is over.
    bed.pod_with(
        "stubborn",
        json!({ "image": "busybox:1", "command": ["sh", "-c", "trap '' TERM; echo up; while true; do sleep 1; done"] }),
        json!({ "terminationGracePeriodSeconds": 1 }),
    )
    .await;
    bed.until_pod("stubborn", "ready", ready).await;
    bed.api::<Pod>()
        .delete("stubborn", &DeleteParams::default())
        .await
        .unwrap();
    until("the stubborn Pod gone", Duration::from_secs(15), async || {
        bed.api::<Pod>()
            .get_opt("stubborn")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await
    .unwrap();

    // Forced, the object goes first and the process with it.
    bed.pod("forced", json!({})).await;
    let pod = bed.until_pod("forced", "ready", ready).await;
    let address = format!("{}:8080", pod.status.unwrap().pod_ip.unwrap());
    let now = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    bed.api::<Pod>().delete("forced", &now).await.unwrap();
    until("the port closed", LIMIT, async || {
        tokio::net::TcpStream::connect(&address).await.err()
    })
    .await
    .unwrap();
}
