//! Dereference, validate and plan: from what is known to a plan, or to the reason why there is none.
//!
//! In: the resource and what may be looked up. Out: a [`ServingPlan`] or a [`Rejection`]. It writes nothing.

use api::premlabs_io::v1alpha1::AIDeployment;
use serving::{field_error::FieldError, plan::ServingPlan};

use super::{
    engine::EngineName,
    models::resolve,
    validate::{Beside, validate},
};
use crate::{lookup::Lookup, reason::Reason, scaler::Scaler, serving_kind::rejection::Rejection};

/// The longest name of a Service.
const LONGEST_NAME: usize = 63;

/// Fields as the plan calls them, and where an `AIDeployment` has them.
const PLACES: [(&str, &str); 13] = [
    ("podLabels", "deployment.labels"),
    ("podAnnotations", "deployment.annotations"),
    ("nodeSelector", "deployment.nodeSelector"),
    ("replicas", "deployment.replicas"),
    ("resources", "deployment.resources"),
    ("tolerations", "deployment.template.spec.tolerations"),
    ("affinity", "deployment.template.spec.affinity"),
    (
        "topologySpreadConstraints",
        "deployment.template.spec.topologySpreadConstraints",
    ),
    ("priorityClassName", "deployment.template.spec.priorityClassName"),
    ("runtimeClassName", "deployment.template.spec.runtimeClassName"),
    ("imagePullSecrets", "deployment.template.spec.imagePullSecrets"),
    ("podSecurityContext", "deployment.template.spec.securityContext"),
    (
        "terminationGracePeriodSeconds",
        "deployment.template.spec.terminationGracePeriodSeconds",
    ),
];

/// What is known of the resource's referents, and the plan that follows.
///
/// # Errors
/// A map or variant is missing or may not be used, or fields cannot be used.
pub(super) fn accept(
    resource: &AIDeployment,
    known: &dyn Lookup,
    scaler: Option<&Scaler>,
) -> Result<ServingPlan, Rejection> {
    check_name(resource)?;
    let engine = EngineName::of(resource).map_err(|error| invalid(resource, vec![error]))?;
    let models = resolve(resource, engine, known)?;
    let beside = Beside {
        engine,
        models: &models,
        most_replicas: scaler.map(|scaler| scaler.most),
        operator_namespace: known.operator_namespace(),
    };
    validate(resource, &beside)
        .and_then(ServingPlan::new)
        .map_err(|errors| invalid(resource, errors))
}

/// The name becomes that of a Service and the value of a label.
fn check_name(resource: &AIDeployment) -> Result<(), Rejection> {
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let good = starts && !name.ends_with('-') && name.len() <= LONGEST_NAME && name.bytes().all(inner);
    if good {
        return Ok(());
    }
    Err(Rejection::referent(
        Reason::InvalidSpec,
        format!(
            "AIDeployment {name}: metadata.name becomes the name of a Service: at most {LONGEST_NAME} lower case letters, digits and hyphens, starting with a letter; create it under another name"
        ),
    ))
}

fn invalid(resource: &AIDeployment, errors: Vec<FieldError>) -> Rejection {
    let owner = format!(
        "AIDeployment {}",
        resource.metadata.name.as_deref().unwrap_or_default()
    );
    let errors = errors.into_iter().map(in_place).collect();
    Rejection::invalid(errors, |_| owner.clone())
}

/// The error at the place where an `AIDeployment` has the field.
fn in_place(error: FieldError) -> FieldError {
    let root = error.root().to_owned();
    match PLACES.iter().find(|(planned, _)| *planned == root) {
        Some((_, place)) => FieldError::new(format!("{place}{}", &error.path[root.len()..]), error.message),
        None if root == "template" || root == "securityContext" => error.under("deployment"),
        None => error,
    }
}
