//! How a new version replaces the old one, and how many Pods a drain may take.
//!
//! In: strategy and replicas as asked for, and who may share the volume. Out: both decided, or what is wrong.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Budget, Strategy, weights::Sharing};
use crate::{
    field_error::FieldError,
    request::{BudgetRequest, StrategyRequest},
};

/// The largest percentage of Pods that may be missing or must stay.
const ALL_OF_THEM: u32 = 100;
/// The largest percentage of Pods that may come on top: four digits.
const ANY_PERCENTAGE: u32 = 9999;

/// Refuses more Pods than a volume admits.
pub fn check_sharing(replicas: i32, sharing: &Sharing, errors: &mut Vec<FieldError>) {
    if *sharing == Sharing::OnePod && replicas > 1 {
        let message = format!(
            "{replicas} replicas cannot share a ReadWriteOncePod claim, which admits a single Pod; use 1 replica, or storage.accessMode ReadWriteMany"
        );
        errors.push(FieldError::new("replicas", message));
    }
}

/// Decides the strategy.
pub fn strategy(
    request: &StrategyRequest,
    replicas: i32,
    sharing: &Sharing,
    errors: &mut Vec<FieldError>,
) -> Strategy {
    check_sharing(replicas, sharing, errors);
    match request {
        StrategyRequest::Recreate => Strategy::Recreate,
        StrategyRequest::Automatic if *sharing == Sharing::OnePod => Strategy::Recreate,
        StrategyRequest::Automatic => rolling(None, None, errors),
        StrategyRequest::Kubernetes => Strategy::Kubernetes,
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
    check_count("strategy.maxSurge", &max_surge, ANY_PERCENTAGE, errors);
    check_count("strategy.maxUnavailable", &max_unavailable, ALL_OF_THEM, errors);
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
            check_count("disruptionBudget.minAvailable", pods, ALL_OF_THEM, errors);
            Some(Budget::MinAvailable(pods.clone()))
        }
        BudgetRequest::MaxUnavailable(pods) => {
            check_count("disruptionBudget.maxUnavailable", pods, ALL_OF_THEM, errors);
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

fn check_count(path: &str, value: &IntOrString, most: u32, errors: &mut Vec<FieldError>) {
    let good = match value {
        IntOrString::Int(number) => *number >= 0,
        IntOrString::String(text) => percentage(text).is_some_and(|percent| percent <= most),
    };
    if !good {
        let message =
            format!("must be a number of Pods such as 1, or a percentage such as \"25%\" up to {most}%");
        errors.push(FieldError::new(path, message));
    }
}

fn percentage(text: &str) -> Option<u32> {
    let digits = text.strip_suffix('%')?;
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}
