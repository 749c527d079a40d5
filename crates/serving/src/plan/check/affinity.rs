//! A person's own affinity.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
    WeightedPodAffinityTerm,
};

use super::{
    report,
    selector::{expression_problem, key_problem, selector_problem},
};
use crate::{
    field_error::FieldError,
    labels::{is_dns_subdomain, is_qualified_name},
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks node affinity, and affinity to and against Pods.
pub(super) fn check(affinity: Option<&Affinity>, errors: &mut Vec<FieldError>) {
    let Some(affinity) = affinity else { return };
    if let Some(nodes) = &affinity.node_affinity {
        check_nodes(nodes, errors);
    }
    if let Some(pods) = &affinity.pod_affinity {
        let required = pods
            .required_during_scheduling_ignored_during_execution
            .as_deref();
        let preferred = pods
            .preferred_during_scheduling_ignored_during_execution
            .as_deref();
        check_pods("affinity.podAffinity", required, preferred, errors);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let required = pods
            .required_during_scheduling_ignored_during_execution
            .as_deref();
        let preferred = pods
            .preferred_during_scheduling_ignored_during_execution
            .as_deref();
        check_pods("affinity.podAntiAffinity", required, preferred, errors);
    }
}

fn check_nodes(nodes: &NodeAffinity, errors: &mut Vec<FieldError>) {
    let path = "affinity.nodeAffinity";
    if let Some(required) = &nodes.required_during_scheduling_ignored_during_execution {
        let terms = &required.node_selector_terms;
        let none = terms.is_empty().then_some("needs at least one term");
        report(format!("{path}.{REQUIRED}.nodeSelectorTerms"), none, errors);
        for (index, term) in terms.iter().enumerate() {
            let path = format!("{path}.{REQUIRED}.nodeSelectorTerms[{index}]");
            report(path, term_problem(term), errors);
        }
    }
    let preferred = nodes.preferred_during_scheduling_ignored_during_execution.iter();
    for (index, term) in preferred.flatten().enumerate() {
        let path = format!("{path}.{PREFERRED}[{index}]");
        report(&path, weight_problem(term.weight), errors);
        report(
            format!("{path}.preference"),
            term_problem(&term.preference),
            errors,
        );
    }
}

fn term_problem(term: &NodeSelectorTerm) -> Option<String> {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return Some("is empty and so matches no node; give matchExpressions or matchFields".into());
    }
    let labels = expressions.iter().map(label_problem);
    labels
        .chain(fields.iter().map(field_problem))
        .find_map(|problem| problem)
}

fn label_problem(requirement: &NodeSelectorRequirement) -> Option<String> {
    let (key, operator) = (&requirement.key, requirement.operator.as_str());
    let values = requirement.values.as_deref().unwrap_or_default();
    match (operator, values) {
        // Whatever else may be wrong is wrong for `In` too; a sign is no part of a label.
        ("Gt" | "Lt", [number]) if number.parse::<i64>().is_ok() => expression_problem(key, "In", values),
        ("Gt" | "Lt", _) => Some(format!("{operator} of {key:?} needs one value, a whole number")),
        ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => expression_problem(key, operator, values),
        _ => Some(format!(
            "operator {operator:?} of {key:?} is none of In, NotIn, Exists, DoesNotExist, Gt and Lt"
        )),
    }
}

fn field_problem(requirement: &NodeSelectorRequirement) -> Option<String> {
    let values = requirement.values.as_deref().unwrap_or_default();
    let one_name = matches!(values, [name] if is_dns_subdomain(name));
    let fine = requirement.key == "metadata.name"
        && matches!(requirement.operator.as_str(), "In" | "NotIn")
        && one_name;
    (!fine).then(|| "matchFields takes metadata.name, In or NotIn, and the name of one node".into())
}

fn check_pods(
    path: &str,
    required: Option<&[PodAffinityTerm]>,
    preferred: Option<&[WeightedPodAffinityTerm]>,
    errors: &mut Vec<FieldError>,
) {
    for (index, term) in required.unwrap_or_default().iter().enumerate() {
        report(format!("{path}.{REQUIRED}[{index}]"), pod_problem(term), errors);
    }
    for (index, term) in preferred.unwrap_or_default().iter().enumerate() {
        let path = format!("{path}.{PREFERRED}[{index}]");
        report(&path, weight_problem(term.weight), errors);
        report(
            format!("{path}.podAffinityTerm"),
            pod_problem(&term.pod_affinity_term),
            errors,
        );
    }
}

fn weight_problem(weight: i32) -> Option<String> {
    (!(1..=100).contains(&weight)).then(|| format!("weight {weight} must be from 1 to 100"))
}

fn pod_problem(term: &PodAffinityTerm) -> Option<String> {
    let names = term.namespaces.as_deref().unwrap_or_default();
    let is_namespace = |name: &str| name.len() <= 63 && !name.contains('.') && is_dns_subdomain(name);
    if !is_qualified_name(&term.topology_key) {
        return Some("topologyKey must be a label of nodes, such as kubernetes.io/hostname".into());
    }
    if let Some(bad) = names.iter().find(|name| !is_namespace(name)) {
        return Some(format!("{bad:?} cannot be the name of a namespace"));
    }
    let selectors = [&term.label_selector, &term.namespace_selector];
    let selector = selectors.into_iter().flatten().find_map(selector_problem);
    selector.or_else(|| {
        key_problem(
            term.label_selector.as_ref(),
            term.match_label_keys.as_deref().unwrap_or_default(),
            term.mismatch_label_keys.as_deref().unwrap_or_default(),
        )
    })
}
