//! Claims and the volumes behind them.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use serde_json::json;

use crate::bed::{Bed, ready};

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
