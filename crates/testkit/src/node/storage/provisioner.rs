//! The simulated dynamic provisioner: claims of its storage classes in, bound volumes out; released volumes are removed.
//! Binding itself is the real controller-manager's.

use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::claims::directory;
use crate::node::Shared;
use crate::node::events::Recorder;

/// Name of the provisioner, and of the driver of its volumes.
const PROVISIONER: &str = "simulated.llm-operator.io";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// Creates the storage classes `standard` (default, one node at a time) and `shared` (any access mode) where
/// they are missing, and starts provisioning.
pub(crate) async fn start(shared: &Arc<Shared>) -> Result<(), kube::Error> {
    let class = |name: &str, default: bool| {
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {
                "name": name,
                "annotations": { "storageclass.kubernetes.io/is-default-class": default.to_string() },
            },
            "provisioner": PROVISIONER,
            "parameters": if default { json!({}) } else { json!({ "accessModes": "any" }) },
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
            "allowVolumeExpansion": true,
        })
    };
    let driver = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
        "metadata": { "name": PROVISIONER },
        "spec": { "attachRequired": false, "podInfoOnMount": false },
    });
    ensure::<StorageClass>(shared, class("standard", true)).await?;
    ensure::<StorageClass>(shared, class("shared", false)).await?;
    ensure::<CSIDriver>(shared, driver).await?;
    tokio::spawn(follow_claims(Arc::clone(shared)));
    tokio::spawn(follow_volumes(Arc::clone(shared)));
    Ok(())
}

async fn ensure<K>(shared: &Shared, object: serde_json::Value) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let api: Api<K> = Api::all(shared.client.clone());
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(error)) if error.is_already_exists() => Ok(()),
        other => other.map(drop),
    }
}

async fn follow_claims(shared: Arc<Shared>) {
    let claims: Api<PersistentVolumeClaim> = Api::all(shared.client.clone());
    let mut changes = pin!(
        watcher(claims, watcher::Config::default())
            .default_backoff()
            .applied_objects()
    );
    while let Some(change) = changes.next().await {
        let result = match &change {
            Ok(claim) if unbound(claim) => provision(&shared, claim).await,
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "watching claims; it will be tried again");
                Ok(())
            }
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a volume was not provisioned");
        }
    }
}

fn unbound(claim: &PersistentVolumeClaim) -> bool {
    let spec = claim.spec.as_ref();
    claim.metadata.deletion_timestamp.is_none()
        && spec.is_some_and(|spec| spec.volume_name.as_deref().unwrap_or_default().is_empty())
}

async fn provision(shared: &Shared, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
    let Some(spec) = claim.spec.as_ref() else {
        return Ok(());
    };
    let Some(class_name) = spec.storage_class_name.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let classes: Api<StorageClass> = Api::all(shared.client.clone());
    let Some(class) = classes
        .get_opt(class_name)
        .await?
        .filter(|class| class.provisioner == PROVISIONER)
    else {
        return Ok(());
    };
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    if waits && !claim.annotations().contains_key(SELECTED_NODE) {
        return Ok(());
    }
    let any_mode = class
        .parameters
        .as_ref()
        .and_then(|p| p.get("accessModes"))
        .is_some_and(|m| m == "any");
    let modes = spec.access_modes.clone().unwrap_or_default();
    if !any_mode && modes.iter().any(|mode| !mode.starts_with("ReadWriteOnce")) {
        refuse(shared, claim, class_name);
        return Ok(());
    }
    create_volume(shared, claim, &class, class_name).await
}

async fn create_volume(
    shared: &Shared,
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    class_name: &str,
) -> Result<(), kube::Error> {
    let Some(spec) = claim.spec.as_ref() else {
        return Ok(());
    };
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let requests = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref());
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": { "name": name, "annotations": { "pv.kubernetes.io/provisioned-by": PROVISIONER } },
        "spec": {
            "capacity": { "storage": requests.and_then(|requests| requests.get("storage")) },
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "storageClassName": class_name,
            "persistentVolumeReclaimPolicy": class.reclaim_policy.as_deref().unwrap_or("Delete"),
            "csi": { "driver": PROVISIONER, "volumeHandle": name },
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(),
                "name": claim.name_any(), "uid": claim.uid(), "resourceVersion": claim.resource_version(),
            },
        },
    });
    ensure::<PersistentVolume>(shared, volume).await
}

fn refuse(shared: &Shared, claim: &PersistentVolumeClaim, class: &str) {
    let about = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolumeClaim".to_owned()),
        namespace: claim.namespace(),
        name: Some(claim.name_any()),
        uid: claim.uid(),
        ..ObjectReference::default()
    };
    let message = format!(
        "failed to provision volume with StorageClass \"{class}\": rpc error: code = InvalidArgument desc = Volume \
         capabilities not supported: only ReadWriteOnce and ReadWriteOncePod are"
    );
    Recorder::new(shared.events.clone(), about, PROVISIONER, "").warning("", "ProvisioningFailed", message);
}

async fn follow_volumes(shared: Arc<Shared>) {
    let volumes: Api<PersistentVolume> = Api::all(shared.client.clone());
    let changes = watcher(volumes.clone(), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let mut changes = pin!(changes);
    while let Some(change) = changes.next().await {
        let Ok(volume) = change else { continue };
        if !released(&volume) {
            continue;
        }
        let name = volume.name_any();
        // A directory that cannot be removed goes with the whole simulation's.
        let _ = std::fs::remove_dir_all(directory(&shared.claims, &name));
        if let Err(error) = volumes.delete(&name, &DeleteParams::default()).await {
            tracing::debug!(name, %error, "a released volume was not deleted");
        }
    }
}

fn released(volume: &PersistentVolume) -> bool {
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let ours = volume
        .annotations()
        .get("pv.kubernetes.io/provisioned-by")
        .is_some_and(|by| by == PROVISIONER);
    ours && policy == Some("Delete")
        && phase == Some("Released")
        && volume.metadata.deletion_timestamp.is_none()
}
