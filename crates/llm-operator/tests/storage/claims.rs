//! The life of a claim: made for a deployment, grown with its model, kept when nobody asks for it any more, and gone with the
//! deployment alone.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::PersistentVolumeClaim};
use serde_json::{Value, json};

use crate::place::{
    bed, claim, deploy, edit_model, generic, make_claim, mounted_claim, pod, replaced, variable,
};

fn size(claim: &PersistentVolumeClaim) -> String {
    let requests = claim
        .spec
        .as_ref()
        .unwrap()
        .resources
        .as_ref()
        .unwrap()
        .requests
        .as_ref();
    requests.unwrap()["storage"].0.clone()
}

/// Made with the size, owned by the deployment, grown when the model grows, refused to shrink, kept when storage is no
/// longer asked for and when the model goes, and removed with the deployment.
/// Promises: S2-22
#[tokio::test]
async fn from_the_first_to_the_last_day() {
    let space = bed().await.space("claim").await;
    deploy(
        &space,
        "chat",
        &generic(json!({"storage": {"size": "1Gi"}})),
        json!({}),
    )
    .await;
    space.wait_state("chat", "Ready").await;
    let made = claim(&space, "chat").await;
    let owner = &made.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.controller),
        ("LLMDeployment", Some(true))
    );
    assert_eq!(size(&made), "1Gi");
    let spec = made.spec.as_ref().unwrap();
    assert_eq!(
        spec.storage_class_name.as_deref(),
        Some("standard"),
        "the cluster's default"
    );
    assert_eq!(
        spec.access_modes.as_deref(),
        Some(&["ReadWriteOnce".to_owned()][..])
    );

    edit_model(&space, "chat", json!({"storage": {"size": "2Gi"}})).await;
    space
        .wait("grown", "chat", |claim: &PersistentVolumeClaim| {
            size(claim) == "2Gi"
        })
        .await;
    space.wait_state("chat", "Ready").await;
    let (worked, said) = space
        .kubectl(&[
            "patch",
            "lmodel",
            "chat",
            "--type=merge",
            "-p",
            r#"{"spec":{"storage":{"size":"1Gi"}}}"#,
        ])
        .await;
    assert!(!worked && said.contains("size can grow but not shrink"), "{said}");

    edit_model(&space, "chat", json!({"storage": Value::Null})).await;
    let without = |deployment: &Deployment| {
        let template = &deployment.spec.as_ref().unwrap().template;
        template.spec.as_ref().unwrap().volumes.is_none()
    };
    space.wait("no volume", "chat", without).await;
    space.wait_state("chat", "Ready").await;
    let kept = claim(&space, "chat").await;
    assert_eq!(kept.metadata.uid, made.metadata.uid);
    assert!(kept.metadata.deletion_timestamp.is_none());

    edit_model(&space, "chat", json!({"storage": {"size": "2Gi"}})).await;
    space
        .wait("a volume again", "chat", |found: &Deployment| !without(found))
        .await;
    space.wait_state("chat", "Ready").await;
    space.delete::<LLMModel>("chat").await;
    space.wait_reason("chat", "ModelNotFound").await;
    assert_eq!(claim(&space, "chat").await.metadata.uid, made.metadata.uid);
    assert!(claim(&space, "chat").await.metadata.deletion_timestamp.is_none());

    space.delete::<LLMDeployment>("chat").await;
    space.wait_gone::<PersistentVolumeClaim>("chat").await;
}

/// A claim of somebody else is mounted, and neither changed nor deleted.
/// Promises: S2-22
#[tokio::test]
async fn an_existing_claim_is_used_and_left_alone() {
    let space = bed().await.space("existing").await;
    make_claim(&space, "weights", "ReadWriteOnce").await;
    deploy(
        &space,
        "chat",
        &generic(json!({"storage": {"existingClaim": "weights"}})),
        json!({}),
    )
    .await;
    space.wait_state("chat", "Ready").await;
    assert_eq!(
        mounted_claim(&pod(&space, "chat").await).as_deref(),
        Some("weights")
    );
    replaced(&space, "chat").await;
    space.delete::<LLMDeployment>("chat").await;
    space.wait_gone::<Deployment>("chat").await;
    let left = claim(&space, "weights").await;
    assert!(left.metadata.owner_references.is_none() && left.metadata.labels.is_none());
    assert!(left.metadata.deletion_timestamp.is_none());
    let none = space
        .api::<PersistentVolumeClaim>()
        .get_opt("chat")
        .await
        .unwrap();
    assert!(none.is_none(), "no other claim is made");
}

/// A `pvc://` source is the claim itself, mounted for reading, and the container is told the path.
/// Promises: S2-22
#[tokio::test]
async fn a_claim_as_a_source() {
    let space = bed().await.space("source").await;
    make_claim(&space, "weights", "ReadWriteMany").await;
    let model = generic(json!({"source": {"uri": "pvc://weights/llama/v1"}}));
    deploy(&space, "chat", &model, json!({})).await;
    space.wait_state("chat", "Ready").await;
    let pod = pod(&space, "chat").await;
    assert_eq!(mounted_claim(&pod).as_deref(), Some("weights"));
    assert_eq!(variable(&pod, "MODEL_PATH").as_deref(), Some("/models/llama/v1"));
    let mounts = crate::place::engine(&pod).volume_mounts.as_ref().unwrap();
    let mount = mounts.iter().find(|mount| mount.mount_path == "/models").unwrap();
    assert_eq!(mount.read_only, Some(true));
}
