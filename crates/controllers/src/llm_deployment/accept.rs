//! Dereference, validate and plan: from what is known to a plan, or to the reason why there is none.
//!
//! In: the resource and what may be looked up. Out: a [`ServingPlan`] or a [`Rejection`]. It writes nothing.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use serving::{field_error::FieldError, plan::ServingPlan};

use super::validate::{Referents, validate};
use crate::{
    lookup::{Absent, Lookup},
    reason::Reason,
    referents::{claim_modes, named_claims},
    scaler::Scaler,
    serving_kind::rejection::Rejection,
};

/// The fields of an `LLMDeployment` by which an error is told from one of the model.
const DEPLOYMENT_FIELDS: [&str; 17] = [
    "replicas",
    "port",
    "strategy",
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "service",
    "disruptionBudget",
    "access",
    "podLabels",
    "podAnnotations",
    "priorityClassName",
    "runtimeClassName",
    "terminationGracePeriodSeconds",
    "modelRef",
    "scaling",
];

/// What is known of the resource's referents, and the plan that follows.
///
/// # Errors
/// The model is missing, or fields of one of the two cannot be used.
pub fn accept(
    deployment: &LLMDeployment,
    known: &dyn Lookup,
    scaler: Option<&Scaler>,
) -> Result<ServingPlan, Rejection> {
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let name = &deployment.spec.model_ref;
    let model = known
        .model(namespace, name)
        .map_err(|absent| without_model(name, &absent))?;
    let referents = Referents {
        claims: claim_modes(named_claims(&model), |claim| known.claim(namespace, claim)),
        most_replicas: scaler.map(|scaler| scaler.most),
        operator_namespace: known.operator_namespace().to_owned(),
    };
    plan(deployment, &model, referents)
}

fn without_model(model: &str, absent: &Absent) -> Rejection {
    match absent {
        Absent::Missing => Rejection::referent(
            Reason::ModelNotFound,
            format!("LLMModel {model} does not exist in this namespace; create it, or correct spec.modelRef"),
        ),
        Absent::Unreadable(error) => Rejection::referent(
            Reason::InvalidSpec,
            format!(
                "LLMModel {model} cannot be read by this version of the operator: {error}; correct it, or update the operator"
            ),
        ),
    }
}

/// Validate and plan without a cluster.
///
/// # Errors
/// Fields of one of the two cannot be used.
pub fn plan(
    deployment: &LLMDeployment,
    model: &LLMModel,
    referents: Referents,
) -> Result<ServingPlan, Rejection> {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    validate(deployment, model, referents)
        .and_then(ServingPlan::new)
        .map_err(|errors| {
            Rejection::invalid(errors, |error: &FieldError| {
                if DEPLOYMENT_FIELDS.contains(&error.root()) {
                    format!("LLMDeployment {}", name(&deployment.metadata.name))
                } else {
                    format!("LLMModel {}", name(&model.metadata.name))
                }
            })
        })
}
