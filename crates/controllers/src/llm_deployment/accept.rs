//! Dereference, validate and plan: from the caches to a plan, or to the reason why there is none.
//!
//! In: the resource and the caches. Out: a [`ServingPlan`] or a [`Rejection`]. It writes nothing.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use serving::{field_error::FieldError, plan::ServingPlan};

use super::validate::{Referents, validate};
use crate::{caches::Caches, reason::Reason, referents::claim_modes, scaler::Scaler};

/// Why a deployment cannot be acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The model that it names does not exist.
    #[error("LLMModel {model} does not exist in this namespace; create it, or correct spec.modelRef")]
    ModelNotFound {
        /// `spec.modelRef`.
        model: String,
    },
    /// The model exists, and its stored form does not fit this version's types.
    #[error(
        "LLMModel {model} cannot be read by this version of the operator: {error}; correct it, or update the operator"
    )]
    ModelUnreadable {
        /// `spec.modelRef`.
        model: String,
        /// What does not fit.
        error: String,
    },
    /// Fields cannot be used as they are.
    #[error("{}", sentence(.deployment, .model, .errors))]
    Invalid {
        /// Name of the deployment.
        deployment: String,
        /// Name of the model.
        model: String,
        /// Every field that is wrong.
        errors: Vec<FieldError>,
    },
}

impl Rejection {
    /// The word for conditions and metrics.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ModelNotFound { .. } => Reason::ModelNotFound,
            Self::ModelUnreadable { .. } | Self::Invalid { .. } => Reason::InvalidSpec,
        }
    }
}

/// The fields of an `LLMDeployment` by which an error is told from one of the model.
const DEPLOYMENT_FIELDS: [&str; 16] = [
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
];

fn sentence(deployment: &str, model: &str, errors: &[FieldError]) -> String {
    let words = errors.iter().map(|error| {
        let owner = if DEPLOYMENT_FIELDS.contains(&error.root()) {
            format!("LLMDeployment {deployment}")
        } else {
            format!("LLMModel {model}")
        };
        format!("{owner} spec.{error}")
    });
    words.collect::<Vec<_>>().join("; ")
}

/// What the caches know of the resource's referents, and the plan that follows.
///
/// # Errors
/// The model is missing, or fields of one of the two cannot be used.
pub fn accept(
    caches: &Caches,
    deployment: &LLMDeployment,
    scaler: Option<&Scaler>,
    operator_namespace: &str,
) -> Result<ServingPlan, Rejection> {
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let model = &deployment.spec.model_ref;
    let Some(found) = caches.models.get(namespace, model) else {
        return Err(match caches.models.unreadable(namespace, model) {
            Some(error) => Rejection::ModelUnreadable {
                model: model.clone(),
                error: error.to_string(),
            },
            None => Rejection::ModelNotFound { model: model.clone() },
        });
    };
    let referents = Referents {
        claims: claim_modes(&found, |claim| caches.claims.get(namespace, claim)),
        most_replicas: scaler.map(|scaler| scaler.most),
        operator_namespace: operator_namespace.to_owned(),
    };
    plan(deployment, &found, referents)
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
    validate(deployment, model, referents)
        .and_then(ServingPlan::new)
        .map_err(|errors| Rejection::Invalid {
            deployment: deployment.metadata.name.clone().unwrap_or_default(),
            model: model.metadata.name.clone().unwrap_or_default(),
            errors,
        })
}
