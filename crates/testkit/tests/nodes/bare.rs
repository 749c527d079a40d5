//! Pods that nobody owns: how they end by their restart policy, and what of them may change while they run.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::{NodeSpec, until};

use crate::bed::{Bed, phase, ready, status, waiting};

fn shell(script: &str) -> Value {
    json!({ "image": "busybox:1", "command": ["sh", "-c", script] })
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    status(pod)?.state.as_ref()?.terminated.as_ref()
}

/// Code and reason of the end of the container.
fn end(pod: &Pod) -> (i32, &str) {
    let ended = terminated(pod).unwrap();
    (ended.exit_code, ended.reason.as_deref().unwrap_or_default())
}

async fn patch(bed: &Bed, name: &str, patch: Value) -> Pod {
    let params = PatchParams::default();
    bed.api()
        .patch(name, &params, &Patch::Strategic(patch))
        .await
        .unwrap()
}

async fn delete(bed: &Bed, name: &str) {
    bed.api::<Pod>()
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
}

async fn until_gone(bed: &Bed, name: &str, limit: Duration) {
    until(format!("{name} gone"), limit, async || {
        let left = bed.api::<Pod>().get_opt(name).await.unwrap();
        left.is_none().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_bare_pod_ends_as_its_restart_policy_says() {
    let bed = Bed::new("bare").await;
    let never = json!({ "restartPolicy": "Never" });
    bed.pod_with("well", shell("exit 0"), never.clone()).await;
    let pod = bed
        .until_pod("well", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    assert_eq!(
        (end(&pod), status(&pod).unwrap().restart_count),
        ((0, "Completed"), 0)
    );
    bed.pod_with("badly", shell("exit 3"), never).await;
    let pod = bed
        .until_pod("badly", "failed", |pod| phase(pod) == "Failed")
        .await;
    assert_eq!(
        (end(&pod), status(&pod).unwrap().restart_count),
        ((3, "Error"), 0)
    );

    let second_try = "test -e /data/tried && exit 0; touch /data/tried; exit 5";
    let mut container = shell(second_try);
    container["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
    let spec = json!({ "restartPolicy": "OnFailure", "volumes": [{ "name": "data", "emptyDir": {} }] });
    bed.pod_with("again", container, spec).await;
    let pod = bed
        .until_pod("again", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    let status = status(&pod).unwrap();
    let last = status.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!(
        (end(&pod), status.restart_count, last.exit_code),
        ((0, "Completed"), 1, 5)
    );
}

#[tokio::test]
async fn a_succeeded_pod_stays_and_its_gpus_are_free() {
    let bed = Bed::new("done").await;
    let nodes = bed.cluster.nodes().unwrap();
    nodes
        .add(NodeSpec::h100("gpu-once", 1).taint("once", "true", "NoSchedule"))
        .await
        .unwrap();
    let spec = json!({
        "restartPolicy": "Never",
        "nodeSelector": { "kubernetes.io/hostname": "gpu-once" },
        "tolerations": [{ "key": "once", "operator": "Exists" }],
    });
    let mut short = shell("exit 0");
    short["resources"] = json!({ "limits": { "nvidia.com/gpu": "1" } });
    bed.pod_with("first", short, spec.clone()).await;
    bed.until_pod("first", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    let gpu = json!({ "resources": { "limits": { "nvidia.com/gpu": "1" } } });
    bed.pod_with("second", gpu, spec).await;
    bed.until_pod("second", "ready on the freed GPU", ready).await;
    let first = bed.api::<Pod>().get("first").await.unwrap();
    assert_eq!(phase(&first), "Succeeded");
    delete(&bed, "first").await;
    until_gone(&bed, "first", Duration::from_secs(5)).await;
    nodes.remove("gpu-once").await.unwrap();
}

#[tokio::test]
async fn a_pod_has_its_address_while_it_initializes_and_goes_within_its_grace_period() {
    let bed = Bed::new("initializing").await;
    let heeds = "trap 'exit 143' TERM; echo up; while true; do sleep 0.05; done";
    let ignores = "trap '' TERM; echo up; while true; do sleep 0.05; done";
    for (name, script, grace) in [("heeds", heeds, 30), ("ignores", ignores, 1)] {
        let mut init = shell(script);
        init["name"] = "prepare".into();
        let spec = json!({ "initContainers": [init], "terminationGracePeriodSeconds": grace });
        bed.pod_with(name, json!({}), spec).await;
        let pod = bed
            .until_pod(name, "an address", |pod| {
                pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some())
            })
            .await;
        assert_eq!(phase(&pod), "Pending");
        let nodes = bed.cluster.nodes().unwrap();
        until("the trap set", Duration::from_secs(10), async || {
            let log = nodes.logs("initializing", name, "prepare");
            log.filter(|log| log.contains("up"))
        })
        .await
        .unwrap();
        delete(&bed, name).await;
        until_gone(&bed, name, Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn labels_and_the_image_of_a_running_pod_change_in_place() {
    let bed = Bed::new("patched").await;
    let spec = json!({ "restartPolicy": "Never", "terminationGracePeriodSeconds": 1 });
    bed.pod_with("engine", json!({}), spec).await;
    let before = bed.until_pod("engine", "ready", ready).await;
    let labels = json!({ "metadata": { "labels": { "team": "a" }, "annotations": { "why": "b" } } });
    let patched = patch(&bed, "engine", labels).await;
    assert_eq!(patched.labels()["team"], "a");

    let image = |image: &str| json!({ "spec": { "containers": [{ "name": "engine", "image": image }] } });
    patch(&bed, "engine", image("your-registry/gpt-small:v2")).await;
    bed.until_event(
        "Killing",
        "Container engine definition changed, will be restarted",
    )
    .await;
    let after = bed
        .until_pod("engine", "ready with the new image", |pod| {
            assert_eq!(phase(pod), "Running", "a restart policy of Never does not end it");
            let of = status(pod).unwrap();
            ready(pod) && of.restart_count == 1 && of.image == "your-registry/gpt-small:v2"
        })
        .await;
    assert_eq!(
        (before.uid(), &before.status.unwrap().pod_ip),
        (after.uid(), &after.status.unwrap().pod_ip)
    );

    // An image that is not there, corrected.
    bed.pod("typo", json!({ "image": "your-registry/gpt-smal:v1" }))
        .await;
    bed.until_pod("typo", "ImagePullBackOff", |pod| {
        waiting(pod, "ImagePullBackOff").is_some()
    })
    .await;
    patch(&bed, "typo", image("your-registry/gpt-small:v1")).await;
    let pod = bed.until_pod("typo", "ready", ready).await;
    assert_eq!(status(&pod).unwrap().restart_count, 0);
}
