//! What keeps a container from starting: missing objects, images, forbidden users.

use serde_json::json;

use crate::bed::{Bed, ready, waiting};

#[tokio::test]
async fn what_is_missing_is_told_in_kubelets_words() {
    let bed = Bed::new("missing").await;
    let key = json!({ "secretKeyRef": { "name": "token", "key": "hf" } });
    bed.pod(
        "no-secret",
        json!({ "env": [{ "name": "HF_TOKEN", "valueFrom": key }] }),
    )
    .await;
    let pod = bed
        .until_pod("no-secret", "CreateContainerConfigError", |pod| {
            waiting(pod, "CreateContainerConfigError").is_some()
        })
        .await;
    assert_eq!(
        waiting(&pod, "CreateContainerConfigError"),
        Some("secret \"token\" not found")
    );
    bed.until_event("Failed", "Error: secret \"token\" not found")
        .await;
    bed.create::<k8s_openapi::api::core::v1::Secret>(
        json!({ "metadata": { "name": "token" }, "stringData": { "hf": "x" } }),
    )
    .await;
    bed.until_pod("no-secret", "ready once the secret is there", ready)
        .await;

    let volume = json!({ "volumes": [{ "name": "config", "configMap": { "name": "absent" } }] });
    bed.pod_with("no-map", json!({}), volume).await;
    bed.until_event(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"absent\" not found",
    )
    .await;
    bed.until_pod("no-map", "still creating", |pod| {
        waiting(pod, "ContainerCreating").is_some()
    })
    .await;

    bed.pod("no-image", json!({ "image": "nobody/nothing:v1" })).await;
    let pod = bed
        .until_pod("no-image", "ImagePullBackOff", |pod| {
            waiting(pod, "ImagePullBackOff").is_some()
        })
        .await;
    let message = waiting(&pod, "ImagePullBackOff").unwrap();
    assert!(
        message.starts_with("Back-off pulling image \"nobody/nothing:v1\": ErrImagePull: rpc error"),
        "{message}"
    );
    bed.until_event("Failed", "docker.io/nobody/nothing:v1: not found")
        .await;

    bed.pod("root", json!({ "securityContext": { "runAsNonRoot": true } }))
        .await;
    let pod = bed
        .until_pod("root", "CreateContainerConfigError", |pod| {
            waiting(pod, "CreateContainerConfigError").is_some()
        })
        .await;
    assert!(
        waiting(&pod, "CreateContainerConfigError")
            .unwrap()
            .contains("image will run as root")
    );
}

#[tokio::test]
async fn pulls_can_fail_for_a_while_or_need_a_secret() {
    let bed = Bed::new("pulls").await;
    let faults = bed.cluster.nodes().unwrap().faults();
    faults.fail_pull(
        "your-registry/gpt-small:flaky",
        1,
        "net/http: TLS handshake timeout",
    );
    bed.pod("flaky", json!({ "image": "your-registry/gpt-small:flaky" }))
        .await;
    bed.until_event(
        "Failed",
        "Failed to pull image \"your-registry/gpt-small:flaky\": net/http",
    )
    .await;
    bed.until_pod("flaky", "ready after another try", ready).await;

    bed.pod(
        "never",
        json!({ "image": "your-registry/gpt-small:unseen", "imagePullPolicy": "Never" }),
    )
    .await;
    let pod = bed
        .until_pod("never", "ErrImageNeverPull", |pod| {
            waiting(pod, "ErrImageNeverPull").is_some()
        })
        .await;
    assert!(
        waiting(&pod, "ErrImageNeverPull")
            .unwrap()
            .ends_with("with pull policy of Never")
    );

    let secret = json!({ "imagePullSecrets": [{ "name": "registry" }] });
    bed.pod_with("private", json!({ "image": "private/model:v1" }), secret)
        .await;
    bed.until_event("FailedToRetrieveImagePullSecret", "(registry)")
        .await;
    bed.until_event("Failed", "pull access denied").await;
    bed.create::<k8s_openapi::api::core::v1::Secret>(json!({
        "metadata": { "name": "registry" }, "type": "kubernetes.io/dockerconfigjson",
        "stringData": { ".dockerconfigjson": "{\"auths\":{}}" },
    }))
    .await;
    bed.until_pod("private", "ready with the secret", ready).await;
}
