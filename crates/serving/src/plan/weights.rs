//! The volume that holds the weights, and what it means for the Pods that share it.
//!
//! In: storage and source of a request. Out: [`Weights`]. It must not decide what is put into the volume (engines do).
//!
//! A claim that one node may mount (`ReadWriteOnce`) would leave a Pod on another node hanging in `ContainerCreating`, be it a second
//! replica or the successor in a rolling update. So all Pods that use such a claim carry a label with its name and
//! require a node that has one of them: they meet on one node, the scheduler says so when that node is full, and
//! updates stay rolling. A claim for a single Pod (`ReadWriteOncePod`) has one replica, replaced by `Recreate`.

use api::shared::AccessMode;
use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, ImageVolumeSource, PersistentVolumeClaimVolumeSource, Volume, VolumeMount,
};

use super::ClaimPlan;
use crate::{
    digest,
    field_error::FieldError,
    labels,
    request::{ClaimRequest, ServingRequest},
    source::ModelSource,
};

/// Name of the volume in the Pod.
pub(super) const VOLUME: &str = "models";
/// Mount path when none is given.
const MOUNT_PATH: &str = "/models";

/// Which Pods may mount the volume at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Any.
    Free,
    /// Those on one node; the value of the label by which they find each other.
    OneNode(String),
    /// One.
    OnePod,
}

/// The volume for the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What is mounted; `None`: nothing, unless an engine asks for scratch space.
    pub volume: Option<Volume>,
    /// Where.
    pub mount_path: String,
    /// Whether weights can be written there.
    pub writable: bool,
    /// Who may mount it.
    pub sharing: Sharing,
    /// A claim to be made.
    pub claim: Option<ClaimPlan>,
}

impl Weights {
    /// Reads storage and source.
    pub fn of(request: &ServingRequest) -> Self {
        match (&request.model.source, &request.storage) {
            (Some(ModelSource::Claim { claim, .. }), _) => Self {
                writable: false,
                ..Self::existing(request, claim)
            },
            (Some(ModelSource::Oci { reference }), _) => Self {
                volume: Some(Volume {
                    image: Some(ImageVolumeSource {
                        reference: Some(reference.clone()),
                        pull_policy: None,
                    }),
                    ..named(VOLUME)
                }),
                ..Self::none()
            },
            (_, Some(storage)) => {
                let weights = match &storage.claim {
                    ClaimRequest::Existing(claim) => Self::existing(request, claim),
                    ClaimRequest::New { size, class, mode } => Self {
                        claim: Some(ClaimPlan {
                            size: *size,
                            class: class.clone(),
                            mode: *mode,
                        }),
                        ..Self::mounted(request.child_name(), Some(*mode))
                    },
                };
                let mount_path = storage.mount_path.clone().unwrap_or_else(|| MOUNT_PATH.into());
                Self {
                    mount_path,
                    ..weights
                }
            }
            (_, None) => Self::none(),
        }
    }

    fn none() -> Self {
        Self {
            volume: None,
            mount_path: MOUNT_PATH.into(),
            writable: false,
            sharing: Sharing::Free,
            claim: None,
        }
    }

    fn existing(request: &ServingRequest, claim: &str) -> Self {
        Self::mounted(claim, request.claims.get(claim).copied())
    }

    /// The same for a workload of one Pod: nobody is there to share with.
    #[must_use]
    pub fn for_one_pod(self) -> Self {
        Self {
            sharing: Sharing::Free,
            ..self
        }
    }

    fn mounted(claim: &str, mode: Option<AccessMode>) -> Self {
        let writable = mode != Some(AccessMode::ReadOnlyMany);
        let sharing = match mode {
            Some(AccessMode::ReadWriteOnce) => Sharing::OneNode(label_value(claim)),
            Some(AccessMode::ReadWriteOncePod) => Sharing::OnePod,
            Some(AccessMode::ReadOnlyMany | AccessMode::ReadWriteMany) | None => Sharing::Free,
        };
        let source = PersistentVolumeClaimVolumeSource {
            claim_name: claim.into(),
            read_only: (!writable).then_some(true),
        };
        let volume = Volume {
            persistent_volume_claim: Some(source),
            ..named(VOLUME)
        };
        Self {
            volume: Some(volume),
            writable,
            sharing,
            ..Self::none()
        }
    }

    /// The same, with space on the node's disk when there is no volume. It lasts as long as the Pod.
    #[must_use]
    pub fn or_scratch(mut self) -> Self {
        if self.volume.is_none() {
            self.volume = Some(Volume {
                empty_dir: Some(EmptyDirVolumeSource::default()),
                ..named(VOLUME)
            });
            self.writable = true;
        }
        self
    }

    /// Where the volume is mounted, when there is one.
    pub fn mounts(&self) -> Vec<VolumeMount> {
        let mount = VolumeMount {
            name: VOLUME.into(),
            mount_path: self.mount_path.clone(),
            read_only: (!self.writable).then_some(true),
            ..VolumeMount::default()
        };
        self.volume.iter().map(|_| mount.clone()).collect()
    }

    /// A path below the mount; the mount itself for an empty one.
    pub fn path(&self, below: &str) -> String {
        let root = self.mount_path.trim_end_matches('/');
        if below.is_empty() {
            root.to_owned()
        } else {
            format!("{root}/{below}")
        }
    }

    /// Refuses what would have to be written to a volume that cannot be written.
    pub fn check_writable(&self, what: &str) -> Vec<FieldError> {
        let message = format!(
            "{what} would be written to a volume that is read-only (ReadOnlyMany); use ReadWriteMany, or a pvc:// source that holds it already"
        );
        if self.volume.is_some() && !self.writable {
            vec![FieldError::new("storage.accessMode", message)]
        } else {
            Vec::new()
        }
    }
}

/// A volume without a source.
pub fn named(name: &str) -> Volume {
    Volume {
        name: name.into(),
        ..Volume::default()
    }
}

/// A claim's name as a label: itself, or a hash when it is too long.
fn label_value(claim: &str) -> String {
    if labels::is_label_value(claim) {
        return claim.to_owned();
    }
    format!("sha256-{}", digest::short_of(claim))
}
