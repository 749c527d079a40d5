//! Environment variables: names, and where their values come from.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector,
};

use super::report;
use crate::{
    field_error::FieldError,
    labels::{is_dns_subdomain, is_qualified_name},
    request::{PodForm, ServingRequest},
};

/// What a variable may take from its Pod.
const FIELD_PATHS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What a variable may take from its container.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Units in which bytes may be given.
const BYTE_DIVISORS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks `env` and `envFrom`.
pub(super) fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let (container, form) = (&request.container, request.form);
    let mut seen = BTreeSet::new();
    for (index, variable) in container.env.iter().enumerate() {
        report(
            format!("env[{index}].name"),
            name_problem(&variable.name, form, &mut seen),
            errors,
        );
        let (path, problem) = value_problem(variable, form);
        report(format!("env[{index}]{path}"), problem, errors);
    }
    for (index, source) in container.env_from.iter().enumerate() {
        report(format!("envFrom[{index}]"), source_problem(source), errors);
    }
}

fn name_problem<'a>(name: &'a str, form: PodForm, seen: &mut BTreeSet<&'a str>) -> Option<String> {
    if !is_variable(name) {
        Some(format!("{name:?} is no valid name of a variable"))
    } else if !seen.insert(name) {
        Some(format!("{name} is given twice; keep one"))
    } else if name == "PORT" && form == PodForm::Own {
        Some("PORT is set by the operator; set port instead".into())
    } else {
        None
    }
}

/// Printable ASCII but `=`.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}

/// Where below the variable, and what.
fn value_problem(variable: &EnvVar, form: PodForm) -> (&'static str, Option<String>) {
    let Some(from) = &variable.value_from else {
        return ("", None);
    };
    let given = [
        from.config_map_key_ref.is_some(),
        from.field_ref.is_some(),
        from.file_key_ref.is_some(),
        from.resource_field_ref.is_some(),
        from.secret_key_ref.is_some(),
    ];
    if variable.value.as_ref().is_some_and(|value| !value.is_empty()) {
        let message = format!("{} has value and valueFrom; keep one", variable.name);
        return ("", Some(message));
    }
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "needs exactly one of configMapKeyRef, secretKeyRef, fieldRef and resourceFieldRef";
        return (".valueFrom", Some(message.into()));
    }
    reference_problem(from, form)
}

fn reference_problem(from: &EnvVarSource, form: PodForm) -> (&'static str, Option<String>) {
    if let Some(field) = &from.field_ref {
        return (".valueFrom.fieldRef", field_problem(field));
    }
    if let Some(resource) = &from.resource_field_ref {
        return (".valueFrom.resourceFieldRef", resource_problem(resource, form));
    }
    if let Some(reference) = &from.config_map_key_ref {
        let problem = key_problem(&reference.name, &reference.key);
        return (".valueFrom.configMapKeyRef", problem);
    }
    if let Some(reference) = &from.secret_key_ref {
        let problem = key_problem(&reference.name, &reference.key);
        return (".valueFrom.secretKeyRef", problem);
    }
    if form != PodForm::Own {
        return ("", None);
    }
    let message =
        "reads a file of a volume, but no volume of the Pod has such files; use a ConfigMap or a Secret";
    (".valueFrom.fileKeyRef", Some(message.into()))
}

fn field_problem(field: &ObjectFieldSelector) -> Option<String> {
    let path = field.field_path.as_str();
    let of_map = |map: &str| path.strip_prefix(map)?.strip_prefix("['")?.strip_suffix("']");
    let label = of_map("metadata.labels").is_some_and(is_qualified_name);
    let annotation =
        of_map("metadata.annotations").is_some_and(|key| is_qualified_name(&key.to_ascii_lowercase()));
    if !matches!(field.api_version.as_deref(), None | Some("" | "v1")) {
        Some("apiVersion must be v1".into())
    } else if FIELD_PATHS.contains(&path) || label || annotation {
        None
    } else {
        Some(format!(
            "fieldPath {path:?} is none of {}, metadata.labels['KEY'] and metadata.annotations['KEY']",
            FIELD_PATHS.join(", ")
        ))
    }
}

fn resource_problem(field: &ResourceFieldSelector, form: PodForm) -> Option<String> {
    let name = field.resource.as_str();
    let kind = name
        .strip_prefix("limits.")
        .or_else(|| name.strip_prefix("requests."));
    let known = kind.is_some_and(|kind| RESOURCES.contains(&kind) || kind.starts_with("hugepages-"));
    let divisor = field.divisor.as_ref().map_or("0", |divisor| divisor.0.as_str());
    let divides = match (divisor, kind) {
        ("0", _) => true,
        (_, Some("cpu")) => matches!(divisor, "1" | "1m"),
        _ => BYTE_DIVISORS.contains(&divisor),
    };
    let container = field.container_name.as_deref().unwrap_or_default();
    if !known {
        Some(format!(
            "resource {name:?} is none of limits.* and requests.* of cpu, memory and ephemeral-storage"
        ))
    } else if !divides {
        Some(format!(
            "divisor {divisor:?} must be 1 or 1m for cpu, and 1 with one suffix such as 1Mi for bytes"
        ))
    } else if form == PodForm::Own && !container.is_empty() && container != form.container() {
        Some(format!(
            "containerName must be {}, or be left out",
            form.container()
        ))
    } else {
        None
    }
}

fn key_problem(name: &str, key: &str) -> Option<String> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let is_key =
        (1..=253).contains(&key.len()) && key.bytes().all(word) && key != "." && !key.starts_with("..");
    if !is_dns_subdomain(name) {
        Some(format!(
            "{name:?} cannot be the name of an object: lower case letters, digits, '-' and '.' only"
        ))
    } else if !is_key {
        Some(format!(
            "{key:?} cannot be a key of it: letters, digits, '-', '_' and '.' only"
        ))
    } else {
        None
    }
}

fn source_problem(source: &EnvFromSource) -> Option<String> {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    let name = match (&source.config_map_ref, &source.secret_ref) {
        (Some(reference), None) => &reference.name,
        (None, Some(reference)) => &reference.name,
        _ => return Some("needs exactly one of configMapRef and secretRef".into()),
    };
    if !is_dns_subdomain(name) {
        Some(format!(
            "{name:?} cannot be the name of an object: lower case letters, digits, '-' and '.' only"
        ))
    } else if !prefix.is_empty() && !is_variable(prefix) {
        Some(format!("prefix {prefix:?} cannot begin the name of a variable"))
    } else {
        None
    }
}
