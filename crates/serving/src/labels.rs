//! Labels that the operator puts on what it makes, and the syntax of those a user adds.
//!
//! In: an identity. Out: label maps. It must not let a user's label replace one of the operator's.

use std::collections::BTreeMap;

use crate::{
    field_error::FieldError,
    request::{Identity, PodForm},
};

/// Field manager and the value of `app.kubernetes.io/managed-by`.
pub const OPERATOR: &str = "llm-operator";
/// Selects Pods: name of the resource.
pub const NAME: &str = "llm-operator.io/name";
/// Selects Pods: `<lower case kind>.<group>` of the resource.
pub const KIND: &str = "llm-operator.io/kind";
/// On Pods that share a claim which one node may mount; they attract each other by it.
pub const CLAIM: &str = "llm-operator.io/claim";

/// On Pods of prem-operator's form: the name of their AIDeployment, and all that they are found by.
pub const PREM_NAME: &str = "mlcontroller.premlabs.io/ai-deployment";
/// On Pods of prem-operator's form: by this they are spread over nodes.
pub const PREM_SPREAD: &str = "mlcontroller.premlabs.io/spread-topology";

/// The labels by which a resource's Pods are found. They never change.
pub fn selector(identity: &Identity, form: PodForm) -> BTreeMap<String, String> {
    match form {
        PodForm::Own => own(identity),
        PodForm::Prem(_) => [(PREM_NAME.to_owned(), identity.name.clone())].into(),
    }
}

fn own(identity: &Identity) -> BTreeMap<String, String> {
    [(NAME, identity.name.clone()), (KIND, identity.kind_label())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// [`selector`] as the text of a label selector, for `/scale`.
pub fn selector_text(identity: &Identity, form: PodForm) -> String {
    selector(identity, form)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// The labels of every object that is made for a resource.
pub fn children(identity: &Identity, engine: &str) -> BTreeMap<String, String> {
    let mut labels = own(identity);
    labels.extend(
        [
            ("app.kubernetes.io/name", engine),
            ("app.kubernetes.io/instance", identity.name.as_str()),
            ("app.kubernetes.io/component", "model-server"),
            ("app.kubernetes.io/managed-by", OPERATOR),
            ("app.kubernetes.io/part-of", OPERATOR),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    labels
}

/// The labels of an object for which a person asks for some: ours win; prem-operator had none of these, so there a person's
/// win, but for those by which the operator finds what it made.
pub fn of_object(
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    form: PodForm,
) -> BTreeMap<String, String> {
    let mut labels = theirs.clone();
    for (key, value) in ours {
        let finds = key.starts_with("llm-operator.io/") || key == "app.kubernetes.io/managed-by";
        if form == PodForm::Own || finds || !theirs.contains_key(key) {
            labels.insert(key.clone(), value.clone());
        }
    }
    labels
}

/// Whether a key is the operator's own.
pub fn is_reserved(key: &str) -> bool {
    const RECOMMENDED: [&str; 5] = ["name", "instance", "component", "managed-by", "part-of"];
    key.starts_with("llm-operator.io/")
        || key == "pod-template-hash"
        || key == PREM_NAME
        || key
            .strip_prefix("app.kubernetes.io/")
            .is_some_and(|rest| RECOMMENDED.contains(&rest))
}

/// Everything that is wrong with labels that a user adds.
pub fn check_labels(path: &str, labels: &BTreeMap<String, String>) -> Vec<FieldError> {
    let mut errors = check_keys(path, labels);
    for (key, value) in labels {
        if is_reserved(key) {
            errors.push(FieldError::new(
                path,
                format!("the label {key:?} belongs to the operator; choose another key"),
            ));
        }
        if !is_label_value(value) {
            errors.push(FieldError::new(
                path,
                format!("the value {value:?} of label {key:?} must have at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"),
            ));
        }
    }
    errors
}

/// Everything that is wrong with the keys of labels or annotations.
pub fn check_keys(path: &str, map: &BTreeMap<String, String>) -> Vec<FieldError> {
    map.keys()
        .filter(|key| !is_qualified_name(key))
        .map(|key| FieldError::new(path, format!("{key:?} is no valid key: it is a name of at most 63 letters, digits, '-', '_' or '.', with an optional DNS prefix and '/' before it")))
        .collect()
}

/// A label's value: empty, or as a label's name.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name(value)
}

/// `[prefix/]name`.
pub fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last())
}

/// A DNS-1123 subdomain, as most object names are.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let bytes = part.as_bytes();
            bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
                && edge(bytes.first())
                && edge(bytes.last())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_follow_kubernetes() {
        for good in ["a", "A.b_c-1", "example.com/Team", "x-y.z/1"] {
            assert!(is_qualified_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "/a", "a/", "A.com/x", "a/b/c", "ä"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
        assert!(
            is_label_value("")
                && is_label_value("v1.2")
                && !is_label_value("a/b")
                && !is_label_value(&"x".repeat(64))
        );
    }

    #[test]
    fn the_operators_labels_are_refused_by_name() {
        let labels = BTreeMap::from([(NAME.to_owned(), "x".to_owned())]);
        let errors = check_labels("podLabels", &labels);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains(NAME));
    }
}
