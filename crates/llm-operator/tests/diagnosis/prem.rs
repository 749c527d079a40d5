//! The same causes behind an `AIDeployment`: `errMsg` has the sentence, `status` is prem-operator's word, and both clear.

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testkit::Target;

use crate::{
    case::{bed, create, faults, gpu_node, nodes},
    common::{PATIENCE, Space},
};

/// A container that serves, with more of its Pod template and of `deployment`.
fn generic(pod: Value, deployment: Value) -> Value {
    let mut template = json!({"containers": [{"name": "server", "image": "your-registry/gpt-small:v1"}]});
    for (key, value) in pod.as_object().unwrap() {
        template[key] = value.clone();
    }
    let mut all = deployment;
    all["template"] = json!({ "spec": template });
    json!({"engine": {"name": "generic"}, "endpoint": [{"domain": "a.example.com", "port": 8080}], "deployment": all})
}

async fn deploy(space: &Space, name: &str, spec: Value) {
    create::<AIDeployment>(space, name, json!({ "spec": spec })).await;
}

/// Waits for the reason and a sentence with these parts, in `errMsg` and in the condition alike.
async fn told(space: &Space, name: &str, reason: &str, parts: &[&str]) -> AIDeploymentStatus {
    let api = space.api::<AIDeployment>();
    let status = testkit::until(format!("{name}: {reason} with {parts:?}"), PATIENCE, async || {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let status = object.status.unwrap_or_default();
        let said = status.err_msg.clone().unwrap_or_default();
        if status.reason.as_deref() == Some(reason) && parts.iter().all(|part| said.contains(part)) {
            Ok(status)
        } else {
            Err(format!("{:?}/{:?}: {said}", status.state, status.reason))
        }
    })
    .await
    .unwrap();
    println!(
        "{name}: {reason}: {}",
        status.err_msg.as_deref().unwrap_or_default()
    );
    let ready = status.conditions.iter().find(|one| one.type_ == "Ready").unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", reason),
        "{ready:?}"
    );
    status
}

/// Waits until it is ready by itself, with nothing left of the error.
async fn healed(space: &Space, name: &str) {
    let found: AIDeployment = space
        .wait("Ready", name, |object: &AIDeployment| {
            object
                .status
                .as_ref()
                .is_some_and(|status| status.status.as_deref() == Some("Ready"))
        })
        .await;
    assert_eq!(found.metadata.generation, Some(1), "healed by itself");
    assert_eq!(found.status.unwrap().err_msg, None);
}

/// DeepSpeed-MII's image is private: without `regcred-dockerhub` the status says what to create.
/// Promises: S4-25
#[tokio::test]
async fn deepspeed_needs_its_pull_secret() {
    let bed = bed().await;
    let space = bed.space("pull").await;
    let node = gpu_node("mii-gpu", "NVIDIA-MII", 81_920, 1).label("for", "mii");
    nodes(bed).add(node).await.unwrap();
    let spec = json!({
        "engine": {"name": "deepspeed-mii", "options": {"imageRepository": "example/private-mii"}},
        "models": [{"uri": "microsoft/phi-2"}],
        "deployment": {"accelerator": {"interface": "CUDA"}, "nodeSelector": {"for": "mii"}},
    });
    deploy(&space, "phi", spec).await;
    let parts = [
        "cannot pull image example/private-mii:latest",
        "image pull secret regcred-dockerhub does not exist",
        &space.namespace,
        "kubernetes.io/dockerconfigjson",
    ];
    let status = told(&space, "phi", "ImagePullSecretMissing", &parts).await;
    assert_eq!(status.status.as_deref(), Some("NotReady"));
    let body = json!({
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{\"auths\":{}}"},
    });
    create::<Secret>(&space, "regcred-dockerhub", body).await;
    healed(&space, "phi").await;
}

/// A `ConfigMap` that a volume of the template names and that is not there.
/// Promises: S4-25
#[tokio::test]
async fn a_volume_of_the_template_is_missing() {
    let space = bed().await.space("volume").await;
    let pod = json!({"volumes": [{"name": "script", "configMap": {"name": "answers"}}]});
    deploy(&space, "small", generic(pod, json!({}))).await;
    let parts = [
        "ConfigMap answers",
        "does not exist",
        "Create it or correct the name",
    ];
    let status = told(&space, "small", "ConfigMapMissing", &parts).await;
    assert_eq!(status.status.as_deref(), Some("NotReady"));
    create::<ConfigMap>(&space, "answers", json!({"data": {"a": "b"}})).await;
    healed(&space, "small").await;
}

/// A quota with room for one of two: one serves, which prem-operator calls ready, and `errMsg` says why the other does
/// not.
/// Promises: S4-25
#[tokio::test]
async fn a_quota_is_told() {
    let space = bed().await.space("quota").await;
    create::<ResourceQuota>(
        &space,
        "compute",
        json!({"spec": {"hard": {"requests.cpu": "3"}}}),
    )
    .await;
    space
        .wait("its use is counted", "compute", |quota: &ResourceQuota| {
            quota.status.as_ref().is_some_and(|status| status.hard.is_some())
        })
        .await;
    let two = json!({"replicas": 2, "resources": {"requests": {"cpu": 2}}});
    deploy(&space, "small", generic(json!({}), two)).await;
    let parts = [
        "1 of 2 replicas serve",
        "exceeded quota: compute",
        "have the quota raised",
    ];
    let status = told(&space, "small", "QuotaExceeded", &parts).await;
    assert_eq!(
        (status.status.as_deref(), status.ready_replicas),
        (Some("Ready"), Some(1))
    );
    let patch = Patch::Merge(json!({"spec": {"hard": {"requests.cpu": "4"}}}));
    space
        .api::<ResourceQuota>()
        .patch("compute", &PatchParams::default(), &patch)
        .await
        .unwrap();
    space
        .wait("both serve", "small", |object: &AIDeployment| {
            object
                .status
                .as_ref()
                .is_some_and(|status| status.ready_replicas == Some(2) && status.err_msg.is_none())
        })
        .await;
}

/// A container that ends is told with its last words; healed it serves.
/// Promises: S4-25
#[tokio::test]
async fn a_crash_is_told() {
    let bed = bed().await;
    let space = bed.space("crash").await;
    let target = Target::pods(&space.namespace, "small-");
    faults(bed).crash_at_start(&target, 3, "RuntimeError: weights are torn");
    deploy(&space, "small", generic(json!({}), json!({}))).await;
    let parts = ["exit code 3", "RuntimeError: weights are torn"];
    let status = told(&space, "small", "CrashLooping", &parts).await;
    assert_eq!(
        (status.status.as_deref(), status.ready_replicas),
        (Some("NotReady"), Some(0))
    );
    faults(bed).heal(&target);
    healed(&space, "small").await;
}

/// All GPUs of the nodes that it may use are taken, by another one of the same family: how many there are, how many are
/// free, and where to ask for fewer.
/// Promises: S4-25
#[tokio::test]
async fn no_gpu_is_free() {
    let bed = bed().await;
    let space = bed.space("gpus").await;
    let node = gpu_node("prem-gpu", "NVIDIA-PREM", 81_920, 2).label("for", "prem");
    nodes(bed).add(node).await.unwrap();
    let gpus = |count: u32| {
        let deployment = json!({
            "accelerator": {"interface": "CUDA"}, "nodeSelector": {"for": "prem"},
            "resources": {"requests": {"nvidia.com/gpu": count}},
        });
        generic(json!({}), deployment)
    };
    deploy(&space, "holder", gpus(1)).await;
    healed(&space, "holder").await;
    deploy(&space, "waiter", gpus(2)).await;
    let status = told(&space, "waiter", "GpusTaken", &["2", "nvidia.com/gpu"]).await;
    assert_eq!(
        (status.status.as_deref(), status.gpu.as_deref()),
        (Some("NotReady"), Some("2 x GPU"))
    );
    deploy(&space, "greedy", gpus(64)).await;
    let parts = ["no node carries more than", "Lower spec.deployment.resources"];
    told(&space, "greedy", "NoSuchGpu", &parts).await;
    space.delete::<AIDeployment>("holder").await;
    healed(&space, "waiter").await;
}
