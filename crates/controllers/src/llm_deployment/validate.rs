//! Resource and referents in, a typed serving request out, or every field that is wrong.
//!
//! In: an `LLMDeployment`, the `LLMModel` it names, what is known of claims. Out: a [`ServingRequest`]; nothing after
//! this step sees a raw resource. Pure.

use std::collections::BTreeMap;

use api::{
    llm_example_com::v1alpha1::{
        LLMDeployment, LLMModel,
        llm_deployment::{DisruptionBudgetSpec, ServiceType, Strategy, StrategyType},
    },
    shared::AccessMode,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serving::{
    field_error::FieldError,
    request::{
        BudgetRequest, EngineRequest, Identity, PodForm, PodRequest, ServiceKind, ServiceRequest,
        ServingRequest, Settings, StrategyRequest, WorkloadRequest,
    },
    template::Template,
};

use crate::{
    kinds::{LLM_DEPLOYMENT, LLM_GROUP, LLM_VERSION},
    llm_model::parse::parse,
    parsing::{self, Errors},
    promise,
};

/// Everything beside the resource itself that decides what is made for it.
#[derive(Debug, Clone, Default)]
pub struct Referents {
    /// Access modes of the claims that exist in the namespace, by name.
    pub claims: BTreeMap<String, AccessMode>,
    /// So many replicas may there be while something else scales them; `None`: as many as the spec says.
    pub most_replicas: Option<i32>,
    /// The namespace in which the operator runs; always admitted by a narrowed NetworkPolicy.
    pub operator_namespace: String,
}

/// Parses the deployment together with its model.
///
/// # Errors
/// Every field that cannot be used; paths as in [`FieldError`].
pub fn validate(
    deployment: &LLMDeployment,
    model: &LLMModel,
    referents: Referents,
) -> Result<ServingRequest, Vec<FieldError>> {
    let mut errors = Errors::default();
    let parts = errors.keep_all(parse(&model.spec));
    let service = errors.keep(service(deployment));
    let scaling = errors.keep_all(promise::scaling(
        deployment.spec.scaling.as_ref(),
        deployment.spec.replicas,
    ));
    let budget = errors.keep(budget(
        deployment.spec.disruption_budget.as_ref(),
        referents.most_replicas,
    ));
    let replicas = errors.keep(replicas(deployment.spec.replicas));
    let access = errors.keep(parsing::access(
        deployment.spec.access.as_ref(),
        &referents.operator_namespace,
    ));
    let (Some(parts), Some(service), Some(budget), Some(replicas), Some(access), Some(scaling)) =
        (parts, service, budget, replicas, access, scaling)
    else {
        return Err(errors.0);
    };
    errors.finish(ServingRequest {
        identity: identity(deployment),
        name: None,
        engine: EngineRequest::Own(model.spec.engine),
        form: PodForm::Own,
        model: parts.model,
        container: parts.container,
        gpu: parts.gpu,
        storage: parts.storage,
        claims: referents.claims,
        workload: WorkloadRequest::Deployment {
            replicas: Some(replicas),
            strategy: strategy(deployment.spec.strategy.as_ref()),
        },
        pod: pod(deployment, model),
        service,
        ingress: None,
        config: None,
        settings: Settings::Arguments,
        scaling,
        sizing: None,
        budget,
        access,
    })
}

/// Who owns what is made.
pub fn identity(deployment: &LLMDeployment) -> Identity {
    parsing::identity(&deployment.metadata, LLM_DEPLOYMENT, (LLM_GROUP, LLM_VERSION))
}

fn replicas(replicas: i32) -> Result<i32, FieldError> {
    if replicas < 0 {
        return Err(FieldError::new(
            "replicas",
            format!("{replicas} is negative; choose 0 or more"),
        ));
    }
    Ok(replicas)
}

fn service(deployment: &LLMDeployment) -> Result<ServiceRequest, FieldError> {
    let spec = deployment.spec.service.clone().unwrap_or_default();
    Ok(ServiceRequest {
        made: true,
        port: parsing::port("port", deployment.spec.port)?,
        more_ports: Vec::new(),
        kind: match spec.type_.unwrap_or_default() {
            ServiceType::ClusterIP => ServiceKind::ClusterIp,
            ServiceType::NodePort => ServiceKind::NodePort,
            ServiceType::LoadBalancer => ServiceKind::LoadBalancer,
        },
        labels: spec.labels.unwrap_or_default(),
        annotations: spec.annotations.unwrap_or_default(),
    })
}

/// How many replicas a drain may take; `most`: so many may there be while something scales them.
///
/// # Errors
/// Fields that exclude each other.
pub(crate) fn budget(
    spec: Option<&DisruptionBudgetSpec>,
    most: Option<i32>,
) -> Result<BudgetRequest, FieldError> {
    // An autoscaler may go to two and back at any time: the budget is there before.
    let automatic = if most.is_some_and(|most| most >= 2) {
        BudgetRequest::MaxUnavailable(IntOrString::Int(1))
    } else {
        BudgetRequest::Automatic
    };
    let Some(spec) = spec else {
        return Ok(automatic);
    };
    match (spec.enabled, &spec.min_available, &spec.max_unavailable) {
        (Some(false), None, None) => Ok(BudgetRequest::Disabled),
        (Some(false), _, _) => Err(FieldError::new(
            "disruptionBudget",
            "enabled: false makes no budget; remove minAvailable and maxUnavailable",
        )),
        (_, None, None) => Ok(automatic),
        (_, Some(least), None) => Ok(BudgetRequest::MinAvailable(least.clone())),
        (_, None, Some(most)) => Ok(BudgetRequest::MaxUnavailable(most.clone())),
        (_, Some(_), Some(_)) => Err(FieldError::new(
            "disruptionBudget",
            "set minAvailable or maxUnavailable, not both",
        )),
    }
}

fn strategy(spec: Option<&Strategy>) -> StrategyRequest {
    let Some(spec) = spec else {
        return StrategyRequest::Automatic;
    };
    match spec.type_ {
        Some(StrategyType::Recreate) => StrategyRequest::Recreate,
        Some(StrategyType::RollingUpdate) => StrategyRequest::RollingUpdate {
            max_surge: spec.max_surge.clone(),
            max_unavailable: spec.max_unavailable.clone(),
        },
        None if spec.max_surge.is_some() || spec.max_unavailable.is_some() => {
            StrategyRequest::RollingUpdate {
                max_surge: spec.max_surge.clone(),
                max_unavailable: spec.max_unavailable.clone(),
            }
        }
        None => StrategyRequest::Automatic,
    }
}

fn pod(deployment: &LLMDeployment, model: &LLMModel) -> PodRequest {
    let spec = &deployment.spec;
    PodRequest {
        labels: spec.pod_labels.clone().unwrap_or_default(),
        annotations: spec.pod_annotations.clone().unwrap_or_default(),
        node_selector: spec.node_selector.clone().unwrap_or_default(),
        tolerations: spec.tolerations.clone().unwrap_or_default(),
        affinity: spec.affinity.clone(),
        topology_spread: spec.topology_spread_constraints.clone().unwrap_or_default(),
        priority_class: spec.priority_class_name.clone(),
        runtime_class: spec.runtime_class_name.clone(),
        grace_period_seconds: spec.termination_grace_period_seconds,
        security: model.spec.pod_security_context.clone(),
        image_pull_secrets: image_pull_secrets(model),
        template: Template::default(),
    }
}

fn image_pull_secrets(model: &LLMModel) -> Vec<String> {
    let secrets = model.spec.image_pull_secrets.iter().flatten();
    secrets
        .map(|secret| secret.name.clone())
        .filter(|name| !name.is_empty())
        .collect()
}
