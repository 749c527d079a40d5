//! Claims and the volumes behind them.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use serde_json::json;

use crate::bed::{Bed, phase, ready};

#[tokio::test]
async fn claims_are_provisioned_and_belong_to_one_node() {
    let bed = Bed::new("claims").await;
    bed.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "weights" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } },
        },
    }))
    .await;
    let on = |node: &str| {
        json!({
            "nodeSelector": { "kubernetes.io/hostname": node }, "terminationGracePeriodSeconds": 1,
            "volumes": [{ "name": "w", "persistentVolumeClaim": { "claimName": "weights" } }],
        })
    };
    let mount = json!({ "volumeMounts": [{ "name": "w", "mountPath": "/w" }] });
    bed.pod_with("one", mount.clone(), on("gpu-1")).await;
    bed.until_pod("one", "ready on a provisioned claim", ready).await;
    bed.pod_with("two", mount, on("gpu-2")).await;
    bed.until_event("FailedAttachVolume", "Volume is already used by pod(s) one")
        .await;
    bed.api::<Pod>()
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
    bed.until_pod("two", "ready once the first has gone", ready).await;
}

#[tokio::test]
async fn a_local_volume_above_its_limit_evicts_and_shared_access_needs_its_class() {
    let bed = Bed::new("limits").await;
    bed.pod_with(
        "full",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", "head -c 3000000 /dev/zero > /cache/x; sleep 60"],
            "volumeMounts": [{ "name": "cache", "mountPath": "/cache" }],
        }),
        json!({ "volumes": [{ "name": "cache", "emptyDir": { "sizeLimit": "1Mi" } }] }),
    )
    .await;
    let pod = bed
        .until_pod("full", "evicted", |pod| phase(pod) == "Failed")
        .await;
    let message = pod.status.unwrap().message.unwrap();
    assert_eq!(
        message,
        "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". "
    );

    let claim = |name: &str, class: &str| {
        json!({
            "metadata": { "name": name },
            "spec": {
                "accessModes": ["ReadWriteMany"], "storageClassName": class,
                "resources": { "requests": { "storage": "1Gi" } },
            },
        })
    };
    let using =
        |name: &str| json!({ "volumes": [{ "name": "w", "persistentVolumeClaim": { "claimName": name } }] });
    bed.create::<PersistentVolumeClaim>(claim("wide", "standard"))
        .await;
    bed.pod_with("waits", json!({}), using("wide")).await;
    bed.until_event("ProvisioningFailed", "Volume capabilities not supported")
        .await;
    bed.create::<PersistentVolumeClaim>(claim("wider", "shared"))
        .await;
    bed.pod_with("runs", json!({}), using("wider")).await;
    bed.until_pod("runs", "ready on a shared claim", ready).await;

    let host = json!({ "volumes": [{ "name": "h", "hostPath": { "path": "/etc" } }] });
    bed.pod_with("nosy", json!({}), host).await;
    bed.until_event("FailedMount", "hostPath volumes are refused")
        .await;
}
