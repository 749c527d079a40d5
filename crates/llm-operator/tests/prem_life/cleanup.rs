//! The end: all that was made goes with its owner, by its owner references; nothing of anybody else does.

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Pod, Service},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    common::{Space, bed},
    scene::{apply, apply_map, pods, stored},
    seen::wait_word,
};

/// Metadata of every object that is made for `small`.
async fn children(space: &Space) -> Vec<(&'static str, ObjectMeta)> {
    vec![
        (
            "Deployment",
            space.api::<Deployment>().get("small").await.unwrap().metadata,
        ),
        (
            "Service",
            space.api::<Service>().get("small").await.unwrap().metadata,
        ),
        (
            "Ingress",
            space.api::<Ingress>().get("small").await.unwrap().metadata,
        ),
        (
            "NetworkPolicy",
            space
                .api::<NetworkPolicy>()
                .get("small-llm-operator")
                .await
                .unwrap()
                .metadata,
        ),
        (
            "PodDisruptionBudget",
            space
                .api::<PodDisruptionBudget>()
                .get("small-llm-operator")
                .await
                .unwrap()
                .metadata,
        ),
        (
            "ConfigMap",
            space
                .api::<ConfigMap>()
                .get("small-engine-config")
                .await
                .unwrap()
                .metadata,
        ),
    ]
}

/// Every object has the resource as controller, and goes with it; there is no finalizer in the way. The map and its
/// files stay, as does what somebody else made.
/// Promises: S4-26
#[tokio::test]
async fn all_that_was_made_goes_with_its_owner() {
    let space = bed().await.space("cleanup").await;
    apply_map(
        &space,
        "phi",
        json!({"localai": [{"variant": "a", "engineConfigFile": "name: a"}]}),
    )
    .await;
    let spec = json!({
        "engine": {"name": "localai"}, "deployment": {"replicas": 2}, "endpoint": [{"domain": "a.example.com"}],
        "models": [{"engineConfigFile": "name: mine"}, {"modelMapRef": {"name": "phi", "variant": "a"}}],
    });
    apply(&space, "small", spec).await;
    wait_word(&space, "small", "Ready").await;
    let owner = stored(&space, "small").await;
    assert_eq!(owner.finalizers(), &[] as &[String]);
    for (kind, metadata) in children(&space).await {
        let reference = json!(metadata.owner_references);
        let expected = json!([{
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "name": "small", "uid": owner.uid(),
            "controller": true, "blockOwnerDeletion": true,
        }]);
        assert_eq!(reference, expected, "{kind}");
    }
    space
        .apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}).to_string())
        .await;
    let running = pods(&space, "small").await;
    space.delete::<AIDeployment>("small").await;
    space.wait_gone::<Deployment>("small").await;
    space.wait_gone::<Service>("small").await;
    space.wait_gone::<Ingress>("small").await;
    space.wait_gone::<NetworkPolicy>("small-llm-operator").await;
    space.wait_gone::<PodDisruptionBudget>("small-llm-operator").await;
    space.wait_gone::<ConfigMap>("small-engine-config").await;
    for pod in running {
        space.wait_gone::<Pod>(&pod.name_any()).await;
    }
    for name in ["phi", "theirs"] {
        space.api::<ConfigMap>().get(name).await.unwrap();
    }
}

/// Deleted in the foreground it is told as on its way out, and made anew under the same name it serves again.
/// Promises: S4-26
#[tokio::test]
async fn deleted_and_made_anew() {
    let space = bed().await.space("anew").await;
    let spec = crate::scene::generic(json!({}));
    apply(&space, "small", spec.clone()).await;
    wait_word(&space, "small", "Ready").await;
    let before = stored(&space, "small").await.uid();
    crate::scene::kubectl(
        &space,
        &["delete", "aideployment", "small", "--cascade=foreground"],
    )
    .await;
    assert!(
        space
            .api::<Deployment>()
            .get_opt("small")
            .await
            .unwrap()
            .is_none()
    );
    apply(&space, "small", spec).await;
    wait_word(&space, "small", "Ready").await;
    assert_ne!(stored(&space, "small").await.uid(), before);
}
