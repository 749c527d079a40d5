//! Where Pods may run: tolerations, spreading, seconds before the kill.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Toleration, TopologySpreadConstraint};

use super::{
    report,
    selector::{key_problem, selector_problem},
};
use crate::{
    field_error::FieldError,
    labels::{is_label_value, is_qualified_name, is_reserved},
    request::ServingRequest,
};

/// Checks what decides where Pods run.
pub(super) fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    for (index, toleration) in request.pod.tolerations.iter().enumerate() {
        report(
            format!("tolerations[{index}]"),
            toleration_problem(toleration),
            errors,
        );
    }
    let mut seen = BTreeSet::new();
    for (index, constraint) in request.pod.topology_spread.iter().enumerate() {
        let path = format!("topologySpreadConstraints[{index}]");
        report(&path, spread_problem(constraint), errors);
        report(&path, spread_selector_problem(constraint), errors);
        let twice = !seen.insert((&constraint.topology_key, &constraint.when_unsatisfiable));
        let message = "another constraint has the same topologyKey and whenUnsatisfiable; keep one";
        report(path, twice.then_some(message), errors);
    }
    if request
        .pod
        .grace_period_seconds
        .is_some_and(|seconds| seconds < 0)
    {
        errors.push(FieldError::new(
            "terminationGracePeriodSeconds",
            "must be 0 or more",
        ));
    }
}

fn toleration_problem(toleration: &Toleration) -> Option<&'static str> {
    let operator = toleration.operator.as_deref().unwrap_or("Equal");
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    if !matches!(operator, "" | "Equal" | "Exists") {
        Some("operator must be Equal or Exists")
    } else if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
        Some("effect must be NoSchedule, PreferNoSchedule or NoExecute, or be left out for all three")
    } else if key.is_empty() && operator != "Exists" {
        Some("without a key the operator must be Exists, which tolerates everything")
    } else if !key.is_empty() && !is_qualified_name(key) {
        Some("key is no valid key of a taint")
    } else if operator == "Exists" && !value.is_empty() {
        Some("operator Exists takes no value")
    } else if !is_label_value(value) {
        Some("value is no valid value of a taint")
    } else if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        Some("tolerationSeconds needs effect NoExecute")
    } else {
        None
    }
}

fn spread_problem(constraint: &TopologySpreadConstraint) -> Option<&'static str> {
    if constraint.max_skew < 1 {
        Some("maxSkew must be 1 or more")
    } else if !is_qualified_name(&constraint.topology_key) {
        Some("topologyKey must be a label of nodes, such as topology.kubernetes.io/zone")
    } else if !matches!(
        constraint.when_unsatisfiable.as_str(),
        "DoNotSchedule" | "ScheduleAnyway"
    ) {
        Some("whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway")
    } else if constraint
        .min_domains
        .is_some_and(|domains| domains < 1 || constraint.when_unsatisfiable != "DoNotSchedule")
    {
        Some("minDomains must be 1 or more and needs whenUnsatisfiable: DoNotSchedule")
    } else if [&constraint.node_affinity_policy, &constraint.node_taints_policy]
        .into_iter()
        .flatten()
        .any(|policy| !matches!(policy.as_str(), "Honor" | "Ignore"))
    {
        Some("nodeAffinityPolicy and nodeTaintsPolicy must be Honor or Ignore")
    } else {
        None
    }
}

/// Without a selector the constraint gets the operator's own one.
fn spread_selector_problem(constraint: &TopologySpreadConstraint) -> Option<String> {
    let keys = constraint.match_label_keys.as_deref().unwrap_or_default();
    let Some(selector) = &constraint.label_selector else {
        let taken = keys
            .iter()
            .find(|key| !is_qualified_name(key) || is_operators(key));
        return taken.map(|key| format!("{key:?} of matchLabelKeys cannot be used; the replicas of this deployment are selected already"));
    };
    selector_problem(selector).or_else(|| key_problem(Some(selector), keys, &[]))
}

fn is_operators(key: &str) -> bool {
    is_reserved(key) && key != "pod-template-hash"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations_follow_kubernetes() {
        let toleration = |key: &str, operator: &str, value: &str, effect: &str| Toleration {
            key: Some(key.into()),
            operator: Some(operator.into()),
            value: Some(value.into()),
            effect: Some(effect.into()),
            toleration_seconds: None,
        };
        assert_eq!(
            toleration_problem(&toleration("a", "Equal", "b", "NoSchedule")),
            None
        );
        assert_eq!(toleration_problem(&toleration("", "Exists", "", "")), None);
        for bad in [
            ("", "Equal", "", ""),
            ("a", "Exists", "b", ""),
            ("a", "In", "", ""),
            ("a", "Equal", "b", "Never"),
        ] {
            assert!(
                toleration_problem(&toleration(bad.0, bad.1, bad.2, bad.3)).is_some(),
                "{bad:?}"
            );
        }
    }
}
