//! What a resource asks for that names a model of the catalogue, in the words of none of the kinds.

use api::shared::{ServingOptions, SizingStatus};
use serving::{
    field_error::FieldError,
    plan::ScalingPlan,
    request::{Identity, Settings},
};

use crate::{referents::expected_claims, workload::WorkloadKind};

/// See the module.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The resource.
    pub identity: Identity,
    /// The model's name, also for clients.
    pub model: &'a str,
    /// Where it stands.
    pub model_field: &'static str,
    /// Replicas, or the least of them.
    pub replicas: i32,
    /// How their number follows the load.
    pub scaling: Option<ScalingPlan>,
    /// The type of GPU.
    pub gpu_type: Option<&'a str>,
    /// Where it stands.
    pub gpu_type_field: &'static str,
    /// GPUs per replica.
    pub gpus: Option<i32>,
    /// Where they stand.
    pub gpus_field: &'static str,
    /// What is decided otherwise than the catalogue would.
    pub options: &'a ServingOptions,
    /// What makes the Pods.
    pub workload: WorkloadKind,
    /// Where the engine's settings stand.
    pub settings: Settings,
    /// What was chosen before.
    pub standing: Option<&'a SizingStatus>,
}

impl Asked<'_> {
    /// The GPUs per replica as a number.
    ///
    /// # Errors
    /// There are none.
    pub fn gpu_count(&self) -> Result<Option<u32>, FieldError> {
        let Some(gpus) = self.gpus else { return Ok(None) };
        match u32::try_from(gpus) {
            Ok(gpus) if gpus > 0 => Ok(Some(gpus)),
            _ => {
                let message = format!("{gpus} is no number of GPUs; choose 1 or more");
                Err(FieldError::new(self.gpus_field, message))
            }
        }
    }

    /// Claims that must exist.
    pub fn claims(&self) -> Vec<String> {
        expected_claims(self.options.storage.as_ref(), self.options.source.as_deref())
    }

    /// The Secret with the token of a gated model.
    pub fn token_secret(&self) -> &str {
        self.options
            .token_secret
            .as_deref()
            .unwrap_or(super::token::SECRET)
    }
}
