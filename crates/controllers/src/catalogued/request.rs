//! A sized model as a serving request.
//!
//! In: what is asked for, and what was chosen. Out: a [`ServingRequest`], or the fields that cannot be used. Pure.

use std::collections::BTreeMap;

use api::shared::{AccessMode, Engine, ServingOptions};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};
use serving::{
    field_error::FieldError,
    quantity::Quantity,
    request::{
        ClaimRequest, ContainerRequest, EngineRequest, ModelRequest, PodForm, PodRequest, ServiceKind,
        ServiceRequest, ServingRequest, StorageRequest, StrategyRequest, WorkloadRequest,
    },
    sizing::{Sizing, words::gib},
    template::Template,
};

use super::{asked::Asked, token::KEY};
use crate::{
    llm_deployment::validate::budget,
    llm_model::parse::storage_request,
    parsing::{self, Errors, quantity},
    workload::WorkloadKind,
};

/// The variable in which engines look for the hub's token.
pub(super) const TOKEN_VARIABLE: &str = "HF_TOKEN";
/// Port of the Service when nothing is said: vLLM's own.
const PORT: i32 = 8000;

/// Parses the rest of what is asked for.
///
/// # Errors
/// Every field that cannot be used.
pub(super) fn request(
    asked: &Asked<'_>,
    sizing: Sizing,
    claims: BTreeMap<String, AccessMode>,
    operator_namespace: &str,
) -> Result<ServingRequest, Vec<FieldError>> {
    let options = asked.options;
    let mut errors = Errors::default();
    let port = errors.keep(parsing::port("serving.port", options.port.unwrap_or(PORT)));
    let storage = options
        .storage
        .as_ref()
        .and_then(|storage| storage_request(storage, &mut errors));
    errors
        .0
        .extend(storage.as_ref().and_then(|storage| too_small(storage, &sizing)));
    let most = asked.scaling.map(|scaling| scaling.most);
    let budget = errors.keep(budget(options.disruption_budget.as_ref(), most));
    let access = errors.keep(parsing::access(options.access.as_ref(), operator_namespace));
    let container = container(asked, &sizing, &mut errors);
    let (Some(port), Some(budget), Some(access)) = (port, budget, access) else {
        return Err(errors.0);
    };
    errors.finish(ServingRequest {
        identity: asked.identity.clone(),
        name: None,
        engine: EngineRequest::Own(sizing.engine),
        form: PodForm::Own,
        model: ModelRequest {
            name: asked.model.to_owned(),
            source: Some(sizing.source.clone()),
            credentials_secret: None,
            weights_bytes: Some(sizing.files_bytes),
        },
        container,
        gpu: Some(sizing.gpu_request()),
        storage,
        claims,
        workload: workload(asked),
        pod: pod(options),
        service: ServiceRequest {
            made: true,
            port,
            more_ports: Vec::new(),
            kind: ServiceKind::ClusterIp,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        },
        ingress: None,
        config: None,
        settings: asked.settings,
        budget,
        access,
        scaling: asked.scaling,
        sizing: Some(Box::new(sizing)),
    })
}

/// A claim must hold the files that are downloaded into it, where their size is known.
fn too_small(storage: &StorageRequest, sizing: &Sizing) -> Option<FieldError> {
    let ClaimRequest::New { size, .. } = &storage.claim else {
        return None;
    };
    if sizing.guessed {
        return None;
    }
    let files = Quantity::from_bytes(sizing.files_bytes);
    (*size < files).then(|| {
        let message = format!(
            "{size} is less than the {} of the weights of {}; choose {} or more",
            gib(sizing.files_bytes),
            sizing.model,
            Quantity::from_bytes(sizing.claim_bytes),
        );
        FieldError::new("serving.storage.size", message)
    })
}

fn workload(asked: &Asked<'_>) -> WorkloadRequest {
    match asked.workload {
        WorkloadKind::StatefulSet => WorkloadRequest::StatefulSet {
            replicas: asked.replicas,
        },
        WorkloadKind::Deployment => WorkloadRequest::Deployment {
            replicas: Some(asked.replicas),
            strategy: StrategyRequest::Automatic,
        },
    }
}

fn container(asked: &Asked<'_>, sizing: &Sizing, errors: &mut Errors) -> ContainerRequest {
    let options = asked.options;
    let resources = options.resources.clone().unwrap_or_default();
    let cpu = resources
        .cpu
        .map(|cpu| errors.keep(quantity("serving.resources.cpu", &cpu.0)));
    let memory = resources
        .memory
        .map(|memory| errors.keep(quantity("serving.resources.memory", &memory.0)));
    ContainerRequest {
        image: sizing.image.clone(),
        engine_args: sizing.args.clone(),
        args: options.args.clone().unwrap_or_default(),
        env: variables(asked, sizing),
        cpu: cpu.unwrap_or_else(|| Some(Quantity::from_units(sizing.cpus))),
        memory: memory.unwrap_or_else(|| Some(Quantity::from_bytes(sizing.memory_bytes))),
        ..ContainerRequest::default()
    }
}

/// The sizing's variables and the token; a person's win.
fn variables(asked: &Asked<'_>, sizing: &Sizing) -> Vec<EnvVar> {
    let theirs = asked.options.env.clone().unwrap_or_default();
    let mut ours: Vec<EnvVar> = sizing
        .env
        .iter()
        .map(|(name, value)| EnvVar {
            name: name.clone(),
            value: Some(value.clone()),
            value_from: None,
        })
        .collect();
    if sizing.engine == Engine::Vllm {
        ours.push(token(asked.token_secret(), sizing.gated));
    }
    ours.retain(|one| theirs.iter().all(|other| other.name != one.name));
    ours.into_iter().chain(theirs).collect()
}

/// Also where no token is needed: with one the hub lets more through.
fn token(secret: &str, needed: bool) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret.to_owned(),
        key: KEY.to_owned(),
        optional: (!needed).then_some(true),
    };
    EnvVar {
        name: TOKEN_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        }),
    }
}

fn pod(options: &ServingOptions) -> PodRequest {
    PodRequest {
        node_selector: options.node_selector.clone().unwrap_or_default(),
        tolerations: options.tolerations.clone().unwrap_or_default(),
        priority_class: options.priority_class_name.clone(),
        runtime_class: options.runtime_class_name.clone(),
        grace_period_seconds: options.termination_grace_period_seconds,
        image_pull_secrets: options
            .image_pull_secrets
            .iter()
            .flatten()
            .map(|secret| secret.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        template: Template::default(),
        ..PodRequest::default()
    }
}
