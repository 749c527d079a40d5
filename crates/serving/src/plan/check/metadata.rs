//! Labels and annotations that a person adds.

use std::collections::BTreeMap;

use super::{cidr, report};
use crate::{
    field_error::FieldError,
    labels::{PREM_NAME, check_keys, check_labels, is_label_value, is_qualified_name},
    request::{PodForm, ServiceKind, ServingRequest},
};

/// Bytes that all annotations of an object may have together, as the API server counts them, without the 1 KiB that is kept for the
/// operator's own.
const ANNOTATION_BYTES: usize = 255 * 1024;
/// Annotations of Pods that Kubernetes reads as an older way to say what has a field.
const SUPERSEDED: [(&str, &str); 5] = [
    ("kubernetes.io/config.mirror", "only the kubelet may set it"),
    ("scheduler.alpha.kubernetes.io/tolerations", "use tolerations"),
    (
        "seccomp.security.alpha.kubernetes.io/",
        "use podSecurityContext.seccompProfile of the model",
    ),
    (
        "container.seccomp.security.alpha.kubernetes.io/",
        "use securityContext.seccompProfile of the model",
    ),
    (
        "container.apparmor.security.beta.kubernetes.io/",
        "use securityContext.appArmorProfile of the model",
    ),
];
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Checks labels, annotations and node labels.
pub(super) fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let (pod, service) = (&request.pod, &request.service);
    match request.form {
        PodForm::Own => {
            errors.extend(check_labels("podLabels", &pod.labels));
            errors.extend(check_labels("service.labels", &service.labels));
        }
        PodForm::Prem(_) => {
            check_plain_labels("podLabels", &pod.labels, errors);
            check_plain_labels("service.labels", &service.labels, errors);
            for key in pod
                .labels
                .keys()
                .filter(|key| key.starts_with("llm-operator.io/"))
            {
                let message = format!("the label {key:?} selects Pods of other kinds; choose another key");
                errors.push(FieldError::new("podLabels", message));
            }
            let name = pod.labels.get(PREM_NAME);
            if name.is_some_and(|name| *name != request.identity.name) {
                let message = format!(
                    "the label {PREM_NAME} selects the Pods and is always the resource's name; remove it"
                );
                errors.push(FieldError::new("podLabels", message));
            }
        }
    }
    check_annotations("podAnnotations", &pod.annotations, errors);
    check_annotations("service.annotations", &service.annotations, errors);
    if request.form == PodForm::Own {
        for (key, value) in &pod.annotations {
            report("podAnnotations", pod_annotation_problem(key, value), errors);
        }
    }
    let ranges = service.annotations.get(SOURCE_RANGES);
    report(
        "service.annotations",
        ranges.and_then(|ranges| ranges_problem(service.kind, ranges)),
        errors,
    );
    check_plain_labels("nodeSelector", &pod.node_selector, errors);
}

pub(super) fn check_plain_labels(
    path: &str,
    labels: &BTreeMap<String, String>,
    errors: &mut Vec<FieldError>,
) {
    errors.extend(check_keys(path, labels));
    for (key, value) in labels {
        if !is_label_value(value) {
            errors.push(FieldError::new(
                path,
                format!("{value:?} of {key:?} is no value that a label can have"),
            ));
        }
    }
}

pub(super) fn check_annotations(
    path: &str,
    annotations: &BTreeMap<String, String>,
    errors: &mut Vec<FieldError>,
) {
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > ANNOTATION_BYTES {
        let message = format!(
            "{bytes} bytes are too many: Kubernetes keeps at most {ANNOTATION_BYTES} for all annotations together"
        );
        errors.push(FieldError::new(path, message));
    }
    for key in annotations.keys() {
        // The case of an annotation's prefix does not matter to Kubernetes.
        if !is_qualified_name(&key.to_ascii_lowercase()) {
            let message = format!(
                "{key:?} is no valid key: it is a name of at most 63 letters, digits, '-', '_' or '.', with an optional DNS prefix and '/' before it"
            );
            errors.push(FieldError::new(path, message));
        }
        if key.starts_with("llm-operator.io/") {
            let message = format!("the annotation {key:?} belongs to the operator; choose another key");
            errors.push(FieldError::new(path, message));
        }
    }
}

fn pod_annotation_problem(key: &str, value: &str) -> Option<String> {
    let superseded = SUPERSEDED.iter().find(|(prefix, _)| key.starts_with(prefix));
    if let Some((_, instead)) = superseded {
        return Some(format!("{key} cannot be set as an annotation; {instead}"));
    }
    let number = value.parse::<i32>().ok().map(|number| number.to_string());
    let wrong = key == DELETION_COST && number.as_deref() != Some(value);
    wrong.then(|| format!("{key} must be a whole number, not {value:?}"))
}

fn ranges_problem(kind: ServiceKind, ranges: &str) -> Option<String> {
    let ranges = ranges.trim();
    let blocks = ranges.is_empty() || ranges.split(',').all(|block| cidr(block.trim()).is_some());
    if kind != ServiceKind::LoadBalancer {
        Some(format!("{SOURCE_RANGES} needs service.type: LoadBalancer"))
    } else if !blocks {
        Some(format!(
            "{SOURCE_RANGES} must be networks such as 10.0.0.0/8, separated by commas"
        ))
    } else {
        None
    }
}
