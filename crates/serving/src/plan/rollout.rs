//! How a new version replaces the old one, and how many Pods a drain may take.
//!
//! In: strategy and replicas as asked for, and who may share the volume. Out: both decided, or what is wrong.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Budget, Strategy, weights::Sharing};
use crate::{
    field_error::FieldError,
    request::{BudgetRequest, StrategyRequest},
};

/// Decides the strategy.
pub fn strategy(
    request: &StrategyRequest,
    replicas: i32,
    sharing: &Sharing,
    errors: &mut Vec<FieldError>,
) -> Strategy {
    if *sharing == Sharing::OnePod && replicas > 1 {
        let message = format!(
            "{replicas} replicas cannot share a ReadWriteOncePod claim, which admits a single Pod; use 1 replica, or storage.accessMode ReadWriteMany"
        );
        errors.push(FieldError::new("replicas", message));
    }
    match request {
        StrategyRequest::Recreate => Strategy::Recreate,
        StrategyRequest::Automatic if *sharing == Sharing::OnePod => Strategy::Recreate,
        StrategyRequest::Automatic => rolling(None, None, errors),
        StrategyRequest::RollingUpdate {
            max_surge,
            max_unavailable,
        } => {
            if *sharing == Sharing::OnePod {
                let message = "RollingUpdate starts the new Pod beside the old one, but a ReadWriteOncePod claim admits a single Pod; use Recreate";
                errors.push(FieldError::new("strategy.type", message));
            }
            rolling(max_surge.as_ref(), max_unavailable.as_ref(), errors)
        }
    }
}

fn rolling(
    surge: Option<&IntOrString>,
    unavailable: Option<&IntOrString>,
    errors: &mut Vec<FieldError>,
) -> Strategy {
    let max_unavailable = unavailable.cloned().unwrap_or(IntOrString::Int(0));
    // Kubernetes refuses both at zero; who allows Pods to be missing may well want no surplus.
    let max_surge = surge.cloned().unwrap_or(IntOrString::Int(1));
    if is_zero(&max_surge) && is_zero(&max_unavailable) {
        let message =
            "maxSurge and maxUnavailable are both 0, so no Pod could ever be replaced; raise one of them";
        errors.push(FieldError::new("strategy", message));
    }
    for (name, value) in [("maxSurge", &max_surge), ("maxUnavailable", &max_unavailable)] {
        check_count(&format!("strategy.{name}"), value, errors);
    }
    Strategy::RollingUpdate {
        max_surge,
        max_unavailable,
    }
}

/// Decides the budget: from two replicas up, one Pod at a time.
pub fn budget(request: &BudgetRequest, replicas: i32, errors: &mut Vec<FieldError>) -> Option<Budget> {
    match request {
        BudgetRequest::Disabled => None,
        BudgetRequest::Automatic => (replicas >= 2).then_some(Budget::MaxUnavailable(IntOrString::Int(1))),
        BudgetRequest::MinAvailable(pods) => {
            check_count("disruptionBudget.minAvailable", pods, errors);
            Some(Budget::MinAvailable(pods.clone()))
        }
        BudgetRequest::MaxUnavailable(pods) => {
            check_count("disruptionBudget.maxUnavailable", pods, errors);
            Some(Budget::MaxUnavailable(pods.clone()))
        }
    }
}

fn is_zero(value: &IntOrString) -> bool {
    match value {
        IntOrString::Int(number) => *number == 0,
        IntOrString::String(text) => text.trim_end_matches('%').parse() == Ok(0_u32),
    }
}

fn check_count(path: &str, value: &IntOrString, errors: &mut Vec<FieldError>) {
    let good = match value {
        IntOrString::Int(number) => *number >= 0,
        IntOrString::String(text) => text.strip_suffix('%').is_some_and(|percent| {
            !percent.is_empty() && percent.len() <= 4 && percent.bytes().all(|b| b.is_ascii_digit())
        }),
    };
    if !good {
        errors.push(FieldError::new(
            path,
            "must be a number of Pods such as 1, or a percentage such as \"25%\"",
        ));
    }
}
