//! Edits of a resource: they roll, scale, and repair what an earlier one broke.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, ResourceQuota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    bed,
    common::Space,
    seen::{edit, kubectl, resource, small, small_set, wait_state, wait_status},
};

async fn settings(space: &Space, name: &str) -> (String, Value) {
    let map = space
        .api::<ConfigMap>()
        .get(&format!("{name}-settings"))
        .await
        .unwrap();
    let set = space.api::<StatefulSet>().get(name).await.unwrap();
    let annotations = set.spec.unwrap().template.metadata.unwrap().annotations.unwrap();
    (
        map.data.unwrap()["engine.yaml"].clone(),
        json!(annotations["llm-operator.io/settings"]),
    )
}

async fn uids(space: &Space, name: &str, replicas: usize) -> Vec<String> {
    let mut found = Vec::new();
    for ordinal in 0..replicas {
        let pod = space
            .api::<Pod>()
            .get(&format!("{name}-{ordinal}"))
            .await
            .unwrap();
        found.push(pod.uid().unwrap());
    }
    found
}

/// What the server is told stands in the ConfigMap, whose hash stands at the Pods: an edit makes new ones under the same names.
/// Promises: S3-11, S3-12
#[tokio::test]
async fn an_edit_of_the_settings_rolls() {
    let space = bed().await.space("settings").await;
    space
        .apply(&resource(
            "ModelDeployment",
            "chat",
            small_set(json!({"replicas": 2})),
        ))
        .await;
    wait_state::<ModelDeployment>(&space, "chat", "Ready").await;
    let (text, hash) = settings(&space, "chat").await;
    assert!(text.contains("max-model-len: 32768"), "{text}");
    let before = uids(&space, "chat", 2).await;

    edit(
        &space,
        "mdeploy",
        "chat",
        json!({"serving": {"contextLength": 4096}}),
    )
    .await;
    let status = wait_state::<ModelDeployment>(&space, "chat", "Ready").await;
    assert_eq!(
        (&status["readyReplicas"], &status["sizing"]["contextLength"]),
        (&json!(2), &json!(4096))
    );
    let (shorter, other_hash) = settings(&space, "chat").await;
    assert!(shorter.contains("max-model-len: 4096"), "{shorter}");
    assert_ne!(hash, other_hash);
    let after = uids(&space, "chat", 2).await;
    assert!(
        before.iter().zip(&after).all(|(old, new)| old != new),
        "{before:?} {after:?}"
    );

    // Back: the same file, the same hash.
    edit(&space, "mdeploy", "chat", json!({"serving": null})).await;
    wait_state::<ModelDeployment>(&space, "chat", "Ready").await;
    assert_eq!(settings(&space, "chat").await, (text, hash));
}

/// A version that never starts is told, and the next edit repairs it without anybody deleting a Pod.
#[tokio::test]
async fn a_broken_version_is_repaired_by_the_next_edit() {
    let space = bed().await.space("broken").await;
    space
        .apply(&resource(
            "ModelDeployment",
            "set",
            small_set(json!({"replicas": 2})),
        ))
        .await;
    space
        .apply(&resource("LLMModel", "plain", small(json!({"replicas": 2}))))
        .await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    wait_state::<LLMModel>(&space, "plain", "Ready").await;
    let broken = json!({"serving": {"image": "your-registry/no-such-model:v1"}});
    edit(&space, "mdeploy", "set", broken.clone()).await;
    edit(&space, "llmmodels.ai.example.com", "plain", broken).await;
    let status = wait_status::<ModelDeployment>(&space, "set", "no image", |status| {
        status["reason"] == "ImageNotFound" && status["readyReplicas"] == 1
    })
    .await;
    assert!(
        status.to_string().contains("your-registry/no-such-model:v1"),
        "{status}"
    );
    let status = wait_status::<LLMModel>(&space, "plain", "no image", |status| {
        status["reason"] == "ImageNotFound"
    })
    .await;
    assert_eq!(status["readyReplicas"], 2, "the old ones go on: {status}");

    edit(&space, "mdeploy", "set", json!({"serving": null})).await;
    edit(
        &space,
        "llmmodels.ai.example.com",
        "plain",
        json!({"serving": null}),
    )
    .await;
    let status = wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    assert_eq!(status["readyReplicas"], 2);
    wait_state::<LLMModel>(&space, "plain", "Ready").await;
}

/// `kubectl scale` of the resource itself, up, down, and to nothing.
#[tokio::test]
async fn kubectl_scale() {
    let space = bed().await.space("scale").await;
    space
        .apply(&resource("LLMModel", "plain", small(json!({}))))
        .await;
    space
        .apply(&resource("ModelDeployment", "set", small_set(json!({}))))
        .await;
    for replicas in [3, 1, 0, 2] {
        let to = format!("--replicas={replicas}");
        kubectl(&space, &["scale", "llmmodels.ai.example.com/plain", &to]).await;
        kubectl(&space, &["scale", "mdeploy/set", &to]).await;
        let state = if replicas == 0 { "Stopped" } else { "Ready" };
        let wanted = |status: &Value| {
            status["state"] == state && status["readyReplicas"] == replicas && status["replicas"] == replicas
        };
        wait_status::<LLMModel>(&space, "plain", &to, wanted).await;
        let status = wait_status::<ModelDeployment>(&space, "set", &to, wanted).await;
        assert_eq!(status["desiredReplicas"], replicas);
        let selector = status["selector"].as_str().unwrap();
        let pods = kubectl(&space, &["get", "pods", "-l", selector, "-o", "name"]).await;
        let living = pods.lines().filter(|line| line.starts_with("pod/set-")).count();
        assert!(living >= replicas, "{pods}");
        assert_eq!(
            pods.lines().count(),
            living,
            "the selector finds its own alone: {pods}"
        );
    }
}

/// Pods that a quota does not admit are told in the status, for both workloads, and made once it does.
#[tokio::test]
async fn a_quota_is_told() {
    let space = bed().await.space("quota").await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "2"}}});
    space.apply(&quota.to_string()).await;
    space
        .wait("it is counted", "gpus", |quota: &ResourceQuota| {
            quota.status.as_ref().is_some_and(|status| status.hard.is_some())
        })
        .await;
    space
        .apply(&resource(
            "ModelDeployment",
            "set",
            small_set(json!({"replicas": 3})),
        ))
        .await;
    let status =
        wait_status::<ModelDeployment>(&space, "set", "told", |status| status["state"] == "Blocked").await;
    let text = status.to_string();
    assert!(text.contains("exceeded quota: gpus"), "{text}");
    space
        .apply(&resource("LLMModel", "plain", small(json!({}))))
        .await;
    let status =
        wait_status::<LLMModel>(&space, "plain", "told", |status| status["state"] == "Blocked").await;
    assert_eq!(status["reason"], "QuotaExceeded", "{status}");
    kubectl(
        &space,
        &[
            "patch",
            "resourcequota",
            "gpus",
            "--type=merge",
            "-p",
            r#"{"spec":{"hard":{"requests.nvidia.com/gpu":"9"}}}"#,
        ],
    )
    .await;
    let status = wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    assert_eq!(status["readyReplicas"], 3);
    wait_state::<LLMModel>(&space, "plain", "Ready").await;
}
