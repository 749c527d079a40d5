//! The claim for the weights.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};

use super::metadata::metadata;
use crate::plan::{ClaimPlan, ServingPlan};

/// A claim, when the plan has a new one.
pub fn claim(plan: &ServingPlan) -> Option<PersistentVolumeClaim> {
    let claim = plan.claim.as_ref()?;
    Some(PersistentVolumeClaim {
        metadata: metadata(plan),
        spec: Some(claim_spec(claim)),
        status: None,
    })
}

/// What is asked for.
pub fn claim_spec(claim: &ClaimPlan) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        access_modes: Some(vec![claim.mode.as_str().into()]),
        resources: Some(VolumeResourceRequirements {
            requests: Some([("storage".to_owned(), claim.size.to_api())].into()),
            limits: None,
        }),
        storage_class_name: claim.class.clone(),
        ..PersistentVolumeClaimSpec::default()
    }
}
