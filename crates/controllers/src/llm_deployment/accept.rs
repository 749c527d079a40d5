//! Dereference, validate and plan: from the caches to a plan, or to the reason why there is none.
//!
//! In: the resource and the caches. Out: a [`ServingPlan`] or a [`Rejection`]. It writes nothing.

use std::collections::BTreeMap;

use api::{
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    shared::AccessMode,
};
use diagnosis::facts::ClaimFacts;
use serving::{field_error::FieldError, plan::ServingPlan};

use super::validate::{Referents, validate};
use crate::{caches::Caches, reason::Reason, scaler::Scaler};

/// Why a deployment cannot be acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The model that it names does not exist.
    #[error("LLMModel {model} does not exist in this namespace; create it, or correct spec.modelRef")]
    ModelNotFound {
        /// `spec.modelRef`.
        model: String,
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
            Self::Invalid { .. } => Reason::InvalidSpec,
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
        return Err(Rejection::ModelNotFound { model: model.clone() });
    };
    let referents = Referents {
        claims: claims_named_by(&found, |claim| {
            caches
                .claims
                .get(namespace, claim)
                .as_deref()
                .and_then(access_mode)
        }),
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

/// The claims that exist among those that a model names.
fn claims_named_by(
    model: &LLMModel,
    mode: impl Fn(&str) -> Option<AccessMode>,
) -> BTreeMap<String, AccessMode> {
    named_claims(model)
        .into_iter()
        .filter_map(|claim| Some((claim.clone(), mode(&claim)?)))
        .collect()
}

/// Names of the claims that a model expects to exist.
pub fn named_claims(model: &LLMModel) -> Vec<String> {
    let existing = model
        .spec
        .storage
        .as_ref()
        .and_then(|storage| storage.existing_claim.clone());
    let source = model.spec.source.as_ref().and_then(|source| {
        let path = source.uri.strip_prefix("pvc://")?;
        path.split('/').next().map(str::to_owned)
    });
    existing.into_iter().chain(source).collect()
}

/// The widest of a claim's access modes: what its volume can do for several Pods.
pub fn access_mode(claim: &ClaimFacts) -> Option<AccessMode> {
    let has = |mode: AccessMode| claim.access_modes.iter().any(|one| &**one == mode.as_str());
    [
        AccessMode::ReadWriteMany,
        AccessMode::ReadOnlyMany,
        AccessMode::ReadWriteOnce,
        AccessMode::ReadWriteOncePod,
    ]
    .into_iter()
    .find(|mode| has(*mode))
}
