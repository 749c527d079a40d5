//! StatefulSets: Pods with stable names, claims of their own, and an engine that is told by a file.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testkit::until;

use crate::bed::{Bed, LIMIT, ready};

/// Two replicas of vLLM whose options stand in a ConfigMap, each with its claim.
async fn chat(bed: &Bed) {
    bed.create::<ConfigMap>(json!({
        "metadata": { "name": "chat-settings" },
        "data": { "engine.yaml": "port: 8200\nserved-model-name: \"chat\"\nenable-prefix-caching: true\n" },
    }))
    .await;
    bed.create::<Service>(json!({
        "metadata": { "name": "chat-headless" },
        "spec": { "clusterIP": "None", "selector": { "app": "chat" }, "ports": [{ "port": 8200 }] },
    }))
    .await;
    bed.create::<StatefulSet>(json!({
        "metadata": { "name": "chat" },
        "spec": {
            "replicas": 2, "serviceName": "chat-headless", "podManagementPolicy": "Parallel",
            "selector": { "matchLabels": { "app": "chat" } },
            "template": {
                "metadata": { "labels": { "app": "chat" } },
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "initContainers": [
                        { "name": "who", "image": "busybox:1", "command": ["sh", "-c", "echo $HOSTNAME"] },
                    ],
                    "containers": [{
                        "name": "engine", "image": "vllm/vllm-openai:v0.33.0",
                        "args": ["facebook/opt-125m", "--config", "/etc/llm-operator/engine.yaml"],
                        "env": [{ "name": "HF_HOME", "value": "/models" }],
                        "resources": { "limits": { "nvidia.com/gpu": "1" } },
                        "readinessProbe": { "httpGet": { "path": "/health", "port": 8200 }, "periodSeconds": 1 },
                        "volumeMounts": [
                            { "name": "settings", "mountPath": "/etc/llm-operator", "readOnly": true },
                            { "name": "models", "mountPath": "/models" },
                        ],
                    }],
                    "volumes": [{ "name": "settings", "configMap": { "name": "chat-settings" } }],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": { "name": "models" },
                "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
            }],
        },
    }))
    .await;
}

/// The models that a Pod's engine says it serves, asked at the Pod's own address.
async fn served(pod: &Pod) -> String {
    let address = pod.status.clone().unwrap().pod_ip.unwrap();
    let url = format!("http://{address}:8200/v1/models");
    let output = tokio::process::Command::new("curl")
        .args(["-sS", "-m", "10", &url])
        .output()
        .await
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn pods_have_stable_names_and_claims_and_read_their_settings() {
    let bed = Bed::new("stateful").await;
    chat(&bed).await;
    for name in ["chat-0", "chat-1"] {
        let pod = bed.until_pod(name, "ready", ready).await;
        assert_eq!(pod.spec.as_ref().unwrap().hostname.as_deref(), Some(name));
        let served = served(&pod).await;
        assert!(served.contains("\"id\":\"chat\""), "{served}");
        let claim: PersistentVolumeClaim = bed.api().get(&format!("models-{name}")).await.unwrap();
        assert_eq!(claim.status.unwrap().phase.as_deref(), Some("Bound"));
        let output = bed
            .cluster
            .kubectl(&["logs", "-n", "stateful", name, "-c", "who"])
            .await
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), name, "{output:?}");
    }

    // A Pod that is lost comes back under its name, and finds what is on its claim.
    let before = bed.api::<Pod>().get("chat-1").await.unwrap();
    bed.api::<Pod>()
        .delete("chat-1", &DeleteParams::default())
        .await
        .unwrap();
    let again = bed
        .until_pod("chat-1", "made anew", |pod| {
            pod.metadata.uid != before.metadata.uid && ready(pod)
        })
        .await;
    assert!(served(&again).await.contains("\"id\":\"chat\""));

    // The highest ordinal goes first.
    bed.api::<StatefulSet>()
        .patch(
            "chat",
            &PatchParams::default(),
            &Patch::Merge(json!({ "spec": { "replicas": 1 } })),
        )
        .await
        .unwrap();
    until("the last one to go", LIMIT, async || {
        bed.api::<Pod>()
            .get_opt("chat-1")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await
    .unwrap();
    assert!(ready(&bed.api::<Pod>().get("chat-0").await.unwrap()));
}

#[tokio::test]
async fn an_option_in_the_file_that_the_engine_does_not_know_ends_it() {
    let bed = Bed::new("stateful-wrong").await;
    bed.create::<ConfigMap>(json!({
        "metadata": { "name": "settings" }, "data": { "engine.yaml": "no-such-option: 1\n" },
    }))
    .await;
    bed.pod_with(
        "wrong",
        json!({
            "image": "vllm/vllm-openai:v0.33.0",
            "args": ["facebook/opt-125m", "--config", "/etc/llm-operator/engine.yaml"],
            "resources": { "limits": { "nvidia.com/gpu": "1" } },
            "volumeMounts": [{ "name": "settings", "mountPath": "/etc/llm-operator" }],
        }),
        json!({ "volumes": [{ "name": "settings", "configMap": { "name": "settings" } }] }),
    )
    .await;
    bed.until_pod("wrong", "ended with vLLM's exit code", |pod| {
        crate::bed::status(pod)
            .and_then(|status| status.last_state.as_ref()?.terminated.as_ref())
            .is_some_and(|ended| ended.exit_code == 2)
    })
    .await;
    let logs = bed
        .cluster
        .kubectl(&["logs", "-n", "stateful-wrong", "wrong"])
        .await
        .unwrap();
    assert!(
        String::from_utf8_lossy(&logs.stdout).contains("unrecognized arguments: --no-such-option 1"),
        "{logs:?}"
    );
}
