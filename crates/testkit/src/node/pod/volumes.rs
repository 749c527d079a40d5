//! A Pod's volumes: their sources in, directories of this machine out. What is missing is waited for with kubelet's
//! Events and pauses. It must not know containers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, PersistentVolumeClaim, Volume};
use kube::api::Api;

use super::{PodContext, files, quantity};
use crate::node::storage::claims::{self, Claim};

/// kubelet's pauses between tries to mount: from half a second, doubling, to two minutes.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(122);
/// How often kubelet measures local volumes.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// One mounted volume.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    pub(crate) host: PathBuf,
    pub(crate) read_only: bool,
    /// Bytes that fit.
    pub(crate) capacity: Option<u64>,
}

/// Mounted volumes by name.
pub(crate) type Volumes = HashMap<String, Mounted>;

/// Why a volume cannot be mounted now.
#[derive(Debug)]
pub(crate) enum MountError {
    /// Told as `FailedMount`; the message is the cause alone.
    SetUp(String),
    /// Told as `FailedAttachVolume`; the whole message.
    Attach(String),
}

/// Mounts all volumes, trying until all are there. `None`: the Pod is to stop before that.
pub(crate) async fn mount_all(context: &PodContext) -> Option<Volumes> {
    let mut mounted = Volumes::new();
    for volume in context.spec.volumes.iter().flatten() {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = tokio::select! {
                () = context.stop.requested() => return None,
                result = mount(context, volume) => match result {
                    Ok(done) => {
                        mounted.insert(volume.name.clone(), done);
                        break;
                    }
                    Err(error) => error,
                },
            };
            match error {
                MountError::SetUp(cause) => {
                    let message = format!(
                        "MountVolume.SetUp failed for volume \"{}\" : {cause}",
                        volume.name
                    );
                    context.events.warning("", "FailedMount", message);
                }
                MountError::Attach(message) => context.events.warning("", "FailedAttachVolume", message),
            }
            if !context.rest(pause).await {
                return None;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Some(mounted)
}

async fn mount(context: &PodContext, volume: &Volume) -> Result<Mounted, MountError> {
    let host = context.dir().join("volumes").join(&volume.name);
    if let Some(empty) = &volume.empty_dir {
        make(&host)?;
        return Ok(Mounted {
            host,
            read_only: false,
            capacity: memory_size(empty),
        });
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let read_only = claim.read_only.unwrap_or(false);
        return claimed(context, &claim.claim_name, read_only).await;
    }
    if volume.ephemeral.is_some() {
        let name = format!("{}-{}", context.name, volume.name);
        return claimed(context, &name, false).await;
    }
    if let Some(image) = &volume.image {
        let reference = image.reference.as_deref().unwrap_or_default();
        return image_volume(context, reference).await;
    }
    if volume.host_path.is_some() {
        return Err(MountError::SetUp(
            "hostPath volumes are refused by simulated nodes".to_owned(),
        ));
    }
    let contents = files::of(context, volume).await.map_err(MountError::SetUp)?;
    let Some(contents) = contents else {
        return Err(MountError::SetUp(
            "volumes of this type are not simulated".to_owned(),
        ));
    };
    make(&host)?;
    contents
        .write(&host)
        .map_err(|error| MountError::SetUp(error.to_string()))?;
    Ok(Mounted {
        host,
        read_only: true,
        capacity: None,
    })
}

fn make(path: &Path) -> Result<(), MountError> {
    std::fs::create_dir_all(path).map_err(|error| MountError::SetUp(error.to_string()))
}

/// A memory-backed volume refuses writes above its size; one on disk lets them happen and the Pod is evicted.
fn memory_size(empty: &EmptyDirVolumeSource) -> Option<u64> {
    let in_memory = empty.medium.as_deref() == Some("Memory");
    empty
        .size_limit
        .as_ref()
        .filter(|_| in_memory)
        .map(quantity::bytes)
}

async fn claimed(context: &PodContext, name: &str, read_only: bool) -> Result<Mounted, MountError> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.shared.client.clone(), &context.namespace);
    let found = api
        .get_opt(name)
        .await
        .map_err(|error| MountError::SetUp(error.to_string()))?;
    let Some(found) = found else {
        return Err(MountError::SetUp(format!(
            "persistentvolumeclaim \"{name}\" not found"
        )));
    };
    let claim = Claim::bound(&found).ok_or_else(|| {
        MountError::SetUp(format!(
            "error processing PVC {}/{name}: PVC is not bound",
            context.namespace
        ))
    })?;
    let attached = context.shared.attachments.attach(
        &claim,
        &context.node.spec.name,
        &context.uid,
        (&context.namespace, &context.name),
    );
    attached.map_err(MountError::Attach)?;
    let host = claims::directory(&context.shared.claims, &claim.volume);
    make(&host)?;
    Ok(Mounted {
        host,
        read_only,
        capacity: claim.capacity,
    })
}

async fn image_volume(context: &PodContext, reference: &str) -> Result<Mounted, MountError> {
    let (fault, time) = context.shared.faults.pull(reference);
    tokio::time::sleep(time).await;
    let known = context.shared.options.images.find(reference).is_some();
    match fault {
        Some(message) => return Err(MountError::SetUp(message)),
        None if !known => {
            let message = format!("failed to pull image volume \"{reference}\": {reference}: not found");
            return Err(MountError::SetUp(message));
        }
        None => {}
    }
    let host = context
        .shared
        .files
        .join("images")
        .join(reference.replace(['/', ':', '@'], "_"));
    make(&host)?;
    Ok(Mounted {
        host,
        read_only: true,
        capacity: None,
    })
}

/// Resolves with kubelet's eviction message once a local volume holds more than its limit.
pub(crate) async fn overflow(context: &PodContext) -> String {
    let limited: Vec<(&str, u64, &str)> = context
        .spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| {
            let limit = volume.empty_dir.as_ref()?.size_limit.as_ref()?;
            Some((volume.name.as_str(), quantity::bytes(limit), limit.0.as_str()))
        })
        .collect();
    if limited.is_empty() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(context.shared.backoff(MEASURE_EVERY)).await;
        let full = limited
            .iter()
            .find(|(name, limit, _)| files::used(&context.dir().join("volumes").join(name)) > *limit);
        if let Some((name, _, limit)) = full {
            return format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". ");
        }
    }
}
