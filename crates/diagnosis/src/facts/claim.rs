//! A `PersistentVolumeClaim`, reduced.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::boxed;

/// What a diagnosis needs of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClaimFacts {
    /// Namespace of the claim.
    pub namespace: Box<str>,
    /// Name of the claim.
    pub name: Box<str>,
    /// Uid of the claim.
    pub uid: Box<str>,
    /// `Pending`, `Bound` or `Lost`; empty before the controller has seen it.
    pub phase: Box<str>,
    /// Access modes asked for, e.g. `ReadWriteOnce`.
    pub access_modes: Box<[Box<str>]>,
    /// Storage class asked for; `None` means the cluster's default, `Some("")` means no provisioning.
    pub class: Option<Box<str>>,
    /// Size asked for, as written.
    pub requested: Option<Box<str>>,
    /// Size of the bound volume, as written.
    pub capacity: Option<Box<str>>,
    /// The volume it is bound to.
    pub volume: Option<Box<str>>,
    /// Deletion was asked for.
    pub deleting: bool,
}

impl From<&PersistentVolumeClaim> for ClaimFacts {
    fn from(claim: &PersistentVolumeClaim) -> Self {
        let spec = claim.spec.as_ref();
        let status = claim.status.as_ref();
        Self {
            namespace: claim.metadata.namespace.as_deref().unwrap_or_default().into(),
            name: claim.metadata.name.as_deref().unwrap_or_default().into(),
            uid: claim.metadata.uid.as_deref().unwrap_or_default().into(),
            phase: status
                .and_then(|status| status.phase.as_deref())
                .unwrap_or_default()
                .into(),
            access_modes: spec
                .and_then(|spec| spec.access_modes.as_deref())
                .unwrap_or_default()
                .iter()
                .map(|mode| mode.as_str().into())
                .collect(),
            class: spec
                .and_then(|spec| spec.storage_class_name.as_deref())
                .map(Into::into),
            requested: spec
                .and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"))
                .map(|size| size.0.as_str().into()),
            capacity: status
                .and_then(|status| status.capacity.as_ref()?.get("storage"))
                .map(|size| size.0.as_str().into()),
            volume: boxed(spec.and_then(|spec| spec.volume_name.as_ref())),
            deleting: claim.metadata.deletion_timestamp.is_some(),
        }
    }
}
