//! Engines: the programs in the images, one file each.
//!
//! In: a request, its weights, the port. Out: an [`EnginePlan`]: command, variables, probes, user, and how weights get to where
//! the engine reads them. It must not decide about anything outside the containers.

pub mod env;
mod generic;
pub mod loader;
pub mod ollama;
pub mod prem;
mod probe;
mod vllm;

use api::shared::Engine;
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, Volume, VolumeMount};

use crate::{
    field_error::FieldError,
    load_time::load_time,
    plan::{ContainerPlan, ProbesPlan, security::User, weights::Weights},
    request::{EngineRequest, ServingRequest},
    source::ModelSource,
};

/// What an engine decides.
#[derive(Clone, Debug, PartialEq)]
pub struct EnginePlan {
    /// The volume for the weights, as the engine needs it.
    pub(crate) weights: Weights,
    /// Replaces the image's entry point when not empty.
    pub(crate) command: Vec<String>,
    /// Arguments before a person's.
    pub(crate) args: Vec<String>,
    /// Variables beside `PORT` and `MODEL_NAME`.
    pub(crate) env: Vec<EnvVar>,
    /// Sources of variables.
    pub(crate) env_from: Vec<EnvFromSource>,
    /// Probes.
    pub(crate) probes: ProbesPlan,
    /// Loaders.
    pub(crate) init: Vec<ContainerPlan>,
    /// Volumes beside the weights'.
    pub(crate) volumes: Vec<Volume>,
    /// Mounts beside the weights'.
    pub(crate) mounts: Vec<VolumeMount>,
    /// Who it runs as.
    pub(crate) user: User,
    /// What engines of another operator decide beside that.
    pub(crate) extras: prem::Extras,
}

/// What every engine starts from.
struct Input<'a> {
    request: &'a ServingRequest,
    source: Option<&'a ModelSource>,
    weights: Weights,
    port: u16,
}

impl Input<'_> {
    /// Seconds that the engine may take to start.
    fn startup_seconds(&self) -> i32 {
        load_time(self.request, false).startup_seconds
    }
}

/// Asks the engine of the request.
pub(crate) fn plan(
    request: &ServingRequest,
    weights: Weights,
    port: u16,
) -> Result<EnginePlan, Vec<FieldError>> {
    let input = Input {
        request,
        source: request.model.source.as_ref(),
        weights,
        port,
    };
    match &request.engine {
        EngineRequest::Own(Engine::Generic) => generic::plan(&input),
        EngineRequest::Own(Engine::Vllm) => vllm::plan(&input),
        EngineRequest::Own(Engine::Ollama) => ollama::plan(&input),
        EngineRequest::Prem(prem) => prem::plan(&input, prem),
    }
}
