//! Metadata of every child: name, namespace, labels, owner.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

use crate::{
    plan::ServingPlan,
    request::{Identity, PodForm},
};

/// Metadata with the name of all that is made.
pub fn metadata(plan: &ServingPlan) -> ObjectMeta {
    ObjectMeta {
        name: Some(plan.name.clone()),
        ..owned(&plan.identity, plan.labels.clone())
    }
}

/// Metadata of an object that has the name of its owner.
pub fn owned(identity: &Identity, labels: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(identity.name.clone()),
        namespace: Some(identity.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![OwnerReference {
            api_version: identity.api_version(),
            kind: identity.kind.clone(),
            name: identity.name.clone(),
            uid: identity.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// Metadata of what guards the Pods. Where the form is another operator's, a person may have made such objects beside the
/// resource, likely under its name: ours have one of their own.
pub fn guard(plan: &ServingPlan) -> ObjectMeta {
    let name = &plan.name;
    ObjectMeta {
        name: Some(match plan.pod.form {
            PodForm::Own => name.clone(),
            PodForm::Prem(_) => format!("{name}-llm-operator"),
        }),
        ..metadata(plan)
    }
}

/// The selector of the Pods.
pub fn selector(plan: &ServingPlan) -> LabelSelector {
    LabelSelector {
        match_labels: Some(plan.selector.clone()),
        match_expressions: None,
    }
}

/// `None` for an empty map: an empty field would be ours without meaning anything.
pub fn unless_empty(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then(|| map.clone())
}

/// `None` for an empty list.
pub fn list_unless_empty<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
