//! Volumes for the weights that are not there.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use serde_json::{Value, json};

use crate::case::{Case, at_rest, bed, create, create_global, generic, with};

fn claim(class: &str) -> Value {
    json!({"spec": {
        "storageClassName": class, "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "7Gi"}},
    }})
}

/// The claim that a model names does not exist yet: as storage and as source.
#[tokio::test]
async fn missing_claims() {
    let bed = bed().await;
    let space = bed.space("claimless").await;
    let existing = with(&generic(), json!({"storage": {"existingClaim": "weights"}}));
    let source = with(&generic(), json!({"source": {"uri": "pvc://library/small"}}));
    let storage = Case::deploy(&space, "wants-weights", existing, json!({})).await;
    let library = Case::deploy(&space, "wants-library", source, json!({})).await;
    let way_out = format!(
        "does not exist. Create it in namespace {}, or correct the name",
        space.namespace
    );
    storage
        .blocked(
            "ClaimMissing",
            &["waits for persistent volume claim weights", &way_out],
        )
        .await;
    library
        .blocked(
            "ClaimMissing",
            &["waits for persistent volume claim library", &way_out],
        )
        .await;
    at_rest(&[&storage, &library], Duration::from_secs(3)).await;
    storage.told_once("ClaimMissing").await;
    library.told_once("ClaimMissing").await;
    create::<PersistentVolumeClaim>(&space, "weights", claim("standard")).await;
    create::<PersistentVolumeClaim>(&space, "library", claim("standard")).await;
    storage.healed().await;
    library.healed().await;
}

/// Claims that are never bound: no such class; no class and no volume that fits.
#[tokio::test]
async fn pending_claims() {
    let bed = bed().await;
    let space = bed.space("pending").await;
    create::<PersistentVolumeClaim>(&space, "by-hand", claim("")).await;
    let new = with(
        &generic(),
        json!({"storage": {"size": "20Gi", "storageClassName": "late-class"}}),
    );
    let existing = with(&generic(), json!({"storage": {"existingClaim": "by-hand"}}));
    let class = Case::deploy(&space, "wants-class", new, json!({})).await;
    let volume = Case::deploy(&space, "wants-volume", existing, json!({})).await;
    class
        .blocked(
            "StorageClassMissing",
            &[
                "waits for persistent volume claim wants-class",
                "storage class late-class does not exist. Create it, or name one that exists: shared and standard",
            ],
        )
        .await;
    volume
        .blocked(
            "ClaimPending",
            &[
                "waits for persistent volume claim by-hand",
                "no storage class",
                "7Gi, ReadWriteOnce",
                "Create such a volume",
            ],
        )
        .await;
    at_rest(&[&class, &volume], Duration::from_secs(4)).await;
    class.told_once("StorageClassMissing").await;
    volume.told_once("ClaimPending").await;

    let late = json!({
        "provisioner": "simulated.llm-operator.io", "volumeBindingMode": "WaitForFirstConsumer",
    });
    create_global::<StorageClass>(&space, "late-class", late).await;
    let disk = json!({"spec": {
        "capacity": {"storage": "7Gi"}, "accessModes": ["ReadWriteOnce"],
        "claimRef": {"namespace": space.namespace, "name": "by-hand"},
        "hostPath": {"path": "/nowhere"},
    }});
    create_global::<PersistentVolume>(&space, &format!("{}-disk", space.namespace), disk).await;
    class.healed().await;
    volume.healed().await;
}
