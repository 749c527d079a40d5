//! The budget for node drains.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};

use super::metadata::{guard, selector};
use crate::plan::{Budget, ServingPlan};

/// A budget, when the plan has one.
pub fn disruption_budget(plan: &ServingPlan) -> Option<PodDisruptionBudget> {
    let (min_available, max_unavailable) = match plan.budget.clone()? {
        Budget::MinAvailable(pods) => (Some(pods), None),
        Budget::MaxUnavailable(pods) => (None, Some(pods)),
    };
    Some(PodDisruptionBudget {
        metadata: guard(plan),
        spec: Some(PodDisruptionBudgetSpec {
            min_available,
            max_unavailable,
            selector: Some(selector(plan)),
            // A Pod that does not serve anyway must not hold up a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
        }),
        status: None,
    })
}
