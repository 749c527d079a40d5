//! Volumes for weights: a claim for each Pod of a StatefulSet, one for all Pods of a Deployment, or one that exists.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    bed,
    common::Space,
    seen::{edit, names, resource, small, small_set, wait_state, wait_status},
};

async fn claims(space: &Space) -> Vec<String> {
    let mut found = names::<PersistentVolumeClaim>(space).await;
    found.sort();
    found
}

fn mounted(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()))
        .collect()
}

/// Each Pod has its own; a replica that goes leaves it, one that comes back finds it, and all go with the resource.
#[tokio::test]
async fn a_claim_for_each_pod() {
    let space = bed().await.space("claims").await;
    let storage = json!({"replicas": 2, "serving": {"storage": {"size": "30Gi"}}});
    space
        .apply(&resource("ModelDeployment", "set", small_set(storage)))
        .await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    let both = [
        "PersistentVolumeClaim models-set-0".to_owned(),
        "PersistentVolumeClaim models-set-1".to_owned(),
    ];
    assert_eq!(claims(&space).await, both);
    let pod = space.api::<Pod>().get("set-1").await.unwrap();
    assert_eq!(mounted(&pod), ["models-set-1"]);
    let uid = |claim: PersistentVolumeClaim| claim.uid();
    let before = uid(space.api().get("models-set-1").await.unwrap());

    edit(&space, "mdeploy", "set", json!({"replicas": 1})).await;
    wait_status::<ModelDeployment>(&space, "set", "one", |status| {
        status["state"] == "Ready" && status["replicas"] == 1
    })
    .await;
    space.wait_gone::<Pod>("set-1").await;
    assert_eq!(claims(&space).await, both, "kept");
    edit(&space, "mdeploy", "set", json!({"replicas": 2})).await;
    wait_status::<ModelDeployment>(&space, "set", "two", |status| status["readyReplicas"] == 2).await;
    assert_eq!(
        uid(space.api().get("models-set-1").await.unwrap()),
        before,
        "found again"
    );

    space.delete::<ModelDeployment>("set").await;
    space.wait_gone::<PersistentVolumeClaim>("models-set-0").await;
    space.wait_gone::<PersistentVolumeClaim>("models-set-1").await;
}

/// Of a StatefulSet the claims cannot be changed: told with what to do, and what runs goes on, also while that is done.
#[tokio::test]
async fn claims_of_a_set_that_are_changed_later() {
    let space = bed().await.space("grown").await;
    let storage = |size: &str| json!({"serving": {"storage": {"size": size}}});
    space
        .apply(&resource("ModelDeployment", "set", small_set(storage("30Gi"))))
        .await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    let serving = space.api::<Pod>().get("set-0").await.unwrap().metadata.uid;
    edit(&space, "mdeploy", "set", storage("40Gi")).await;
    let status =
        wait_status::<ModelDeployment>(&space, "set", "told", |status| status["state"] == "Blocked").await;
    let text = status.to_string();
    assert_eq!(status["readyReplicas"], 1);
    let way_out = "kubectl delete statefulset set --cascade=orphan";
    assert!(text.contains(way_out), "the way out: {text}");
    crate::seen::kubectl(&space, &["delete", "statefulset", "set", "--cascade=orphan"]).await;
    space
        .wait("made anew", "set", |set: &StatefulSet| {
            let spec = set
                .spec
                .as_ref()
                .and_then(|spec| spec.volume_claim_templates.as_ref());
            serde_json::json!(spec).to_string().contains("40Gi")
        })
        .await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    let after = space.api::<Pod>().get("set-0").await.unwrap().metadata.uid;
    assert_eq!(after, serving, "the Pod serves on");
    let claim = space
        .api::<PersistentVolumeClaim>()
        .get("models-set-0")
        .await
        .unwrap();
    assert!(
        serde_json::json!(claim).to_string().contains("30Gi"),
        "with what it has loaded"
    );
}

/// A claim that exists is mounted by every Pod, of either workload, and never deleted.
#[tokio::test]
async fn a_claim_that_exists() {
    let space = bed().await.space("existing").await;
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "50Gi"}}}});
    let existing = json!({"replicas": 2, "serving": {"storage": {"existingClaim": "weights"}}});
    space
        .apply(&resource("ModelDeployment", "set", small_set(existing.clone())))
        .await;
    space.apply(&resource("LLMModel", "plain", small(existing))).await;
    let missing = |status: &Value| status["state"] == "Blocked" && status.to_string().contains("weights");
    wait_status::<ModelDeployment>(&space, "set", "no claim", missing).await;
    wait_status::<LLMModel>(&space, "plain", "no claim", missing).await;
    space.apply(&claim.to_string()).await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    wait_state::<LLMModel>(&space, "plain", "Ready").await;
    assert_eq!(claims(&space).await, ["PersistentVolumeClaim weights"]);
    for name in ["set-0", "set-1"] {
        assert_eq!(mounted(&space.api::<Pod>().get(name).await.unwrap()), ["weights"]);
    }
    let set = space.api::<StatefulSet>().get("set").await.unwrap();
    assert_eq!(set.spec.unwrap().volume_claim_templates, None);
    space.delete::<ModelDeployment>("set").await;
    space.delete::<LLMModel>("plain").await;
    space.wait_gone::<Pod>("set-0").await;
    assert_eq!(claims(&space).await, ["PersistentVolumeClaim weights"]);
}
