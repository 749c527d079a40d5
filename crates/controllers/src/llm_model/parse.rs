//! Parses an `LLMModel` by itself, whoever deploys it.
//!
//! In: the raw resource. Out: its part of a serving request in typed values, or every field that is wrong. Pure.

use std::collections::BTreeMap;

use api::{
    llm_example_com::v1alpha1::LLMModelSpec,
    shared::{GpuRequirement, WeightsStorage},
};
use serving::{
    field_error::FieldError,
    gpu::GpuRequest,
    request::{ClaimRequest, ContainerRequest, ModelRequest, StorageRequest},
    source::ModelSource,
};

use crate::parsing::{Errors, port, quantity};

/// What a model brings to every deployment of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelParts {
    /// The model and its source.
    pub model: ModelRequest,
    /// The engine's container.
    pub container: ContainerRequest,
    /// GPUs of one replica.
    pub gpu: Option<GpuRequest>,
    /// A volume for the weights.
    pub storage: Option<StorageRequest>,
}

/// Parses the spec.
///
/// # Errors
/// Every field that cannot be used, with its path below `spec`.
pub fn parse(spec: &LLMModelSpec) -> Result<ModelParts, Vec<FieldError>> {
    let mut errors = Errors::default();
    let source = spec.source.as_ref().and_then(|source| {
        let parsed: Result<ModelSource, _> = source.uri.parse();
        errors.keep(parsed.map_err(|error| FieldError::new("source.uri", format!("{error}"))))
    });
    let gpu = spec.gpu.as_ref().and_then(|gpu| errors.keep(gpu_request(gpu)));
    let storage = spec
        .storage
        .as_ref()
        .and_then(|storage| storage_request(storage, &mut errors));
    let container = container(spec, &mut errors);
    let model = ModelRequest {
        name: spec.model_name.clone(),
        source,
        credentials_secret: spec
            .source
            .as_ref()
            .and_then(|source| source.credentials_secret.clone()),
        weights_bytes: None,
    };
    errors.finish(ModelParts {
        model,
        container,
        gpu,
        storage,
    })
}

fn container(spec: &LLMModelSpec, errors: &mut Errors) -> ContainerRequest {
    let resources = spec.resources.clone().unwrap_or_default();
    let probes = spec.probes.clone().unwrap_or_default();
    ContainerRequest {
        name: None,
        image: spec.image.clone(),
        pull_policy: spec.image_pull_policy,
        command: spec.command.clone().unwrap_or_default(),
        args: spec.args.clone().unwrap_or_default(),
        engine_args: Vec::new(),
        env: spec.env.clone().unwrap_or_default(),
        env_from: spec.env_from.clone().unwrap_or_default(),
        port: spec.port.and_then(|port| errors.keep(self::port("port", port))),
        cpu: resources
            .cpu
            .and_then(|cpu| errors.keep(quantity("resources.cpu", &cpu.0))),
        memory: resources
            .memory
            .and_then(|memory| errors.keep(quantity("resources.memory", &memory.0))),
        requests: BTreeMap::new(),
        limits: BTreeMap::new(),
        startup_probe: probes.startup,
        readiness_probe: probes.readiness,
        liveness_probe: probes.liveness,
        security: spec.security_context.clone(),
    }
}

/// A volume for the weights.
pub(crate) fn storage_request(storage: &WeightsStorage, errors: &mut Errors) -> Option<StorageRequest> {
    let claim = match (&storage.size, &storage.existing_claim) {
        (Some(size), None) => ClaimRequest::New {
            size: errors.keep(quantity("storage.size", &size.0))?,
            class: storage.storage_class_name.clone(),
            mode: storage.access_mode.unwrap_or_default(),
        },
        (None, Some(claim)) => ClaimRequest::Existing(claim.clone()),
        _ => {
            errors.0.push(FieldError::new(
                "storage",
                "set exactly one of size (a new claim per deployment) and existingClaim",
            ));
            return None;
        }
    };
    Some(StorageRequest {
        claim,
        mount_path: storage.mount_path.clone(),
    })
}

fn gpu_request(gpu: &GpuRequirement) -> Result<GpuRequest, FieldError> {
    let count = u32::try_from(gpu.count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| {
            FieldError::new(
                "gpu.count",
                format!("{} is no number of GPUs; choose 1 or more", gpu.count),
            )
        })?;
    let min_memory = gpu
        .min_memory
        .as_ref()
        .map(|memory| quantity("gpu.minMemory", &memory.0))
        .transpose()?;
    Ok(GpuRequest {
        count,
        resource: gpu.resource_name.clone(),
        product: gpu.product.clone(),
        min_memory,
    })
}
