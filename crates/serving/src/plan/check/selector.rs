//! Label selectors, and the keys that are matched beside them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::labels::{is_label_value, is_qualified_name};

/// What is wrong with a selector.
pub(super) fn selector_problem(selector: &LabelSelector) -> Option<String> {
    let labels = selector.match_labels.iter().flatten();
    let mut pairs = labels.map(|(key, value)| pair_problem(key, value));
    if let Some(problem) = pairs.find_map(|problem| problem) {
        return Some(problem);
    }
    let expressions = selector.match_expressions.iter().flatten();
    let mut problems = expressions.map(|expression| {
        let values = expression.values.as_deref().unwrap_or_default();
        expression_problem(&expression.key, &expression.operator, values)
    });
    problems.find_map(|problem| problem)
}

fn pair_problem(key: &str, value: &str) -> Option<String> {
    if !is_qualified_name(key) {
        Some(format!("{key:?} is no key that a label can have"))
    } else if !is_label_value(value) {
        Some(format!("{value:?} of {key:?} is no value that a label can have"))
    } else {
        None
    }
}

/// What is wrong with one requirement of `In`, `NotIn`, `Exists` or `DoesNotExist`.
pub(super) fn expression_problem(key: &str, operator: &str, values: &[String]) -> Option<String> {
    let bad = values.iter().find(|value| !is_label_value(value));
    match operator {
        _ if !is_qualified_name(key) => Some(format!("{key:?} is no key that a label can have")),
        "In" | "NotIn" if values.is_empty() => Some(format!("{operator} of {key:?} needs values")),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            Some(format!("{operator} of {key:?} takes no values"))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {
            bad.map(|value| format!("{value:?} of {key:?} is no value that a label can have"))
        }
        _ => Some(format!(
            "operator {operator:?} of {key:?} is none of In, NotIn, Exists and DoesNotExist"
        )),
    }
}

/// What is wrong with `matchLabelKeys` and `mismatchLabelKeys` beside a selector.
pub(super) fn key_problem(
    selector: Option<&LabelSelector>,
    matching: &[String],
    mismatching: &[String],
) -> Option<String> {
    let mut all = matching.iter().chain(mismatching);
    if let Some(bad) = all.clone().find(|key| !is_qualified_name(key)) {
        return Some(format!("{bad:?} is no key that a label can have"));
    }
    let Some(selector) = selector else {
        return all
            .next()
            .map(|_| "matchLabelKeys and mismatchLabelKeys need a labelSelector".into());
    };
    let labels = selector.match_labels.iter().flatten().map(|(key, _)| key);
    let expressions = selector.match_expressions.iter().flatten();
    let selected: Vec<&String> = labels
        .chain(expressions.map(|expression| &expression.key))
        .collect();
    let twice = matching
        .iter()
        .find(|key| selected.contains(key) || mismatching.contains(key));
    twice.map(|key| format!("{key:?} of matchLabelKeys is given twice; keep one"))
}
