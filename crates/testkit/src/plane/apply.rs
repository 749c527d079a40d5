//! Applying manifests.
//!
//! In: YAML documents of any kinds. Out: the objects as stored. Kinds are found by discovery; a custom resource
//! definition is waited for until the API server serves it.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::error::ClusterError;
use crate::wait::until;

/// The field manager of everything that a test or person applies this way.
const MANAGER: &str = "local-cluster";
/// The API server serves a new kind within about a second.
const ESTABLISHED: Duration = Duration::from_mins(1);

/// Applies each document in order, server-side, taking over fields of other managers.
pub(super) async fn apply_yaml(client: &Client, text: &str) -> Result<Vec<DynamicObject>, ClusterError> {
    let mut stored = Vec::new();
    for (index, document) in documents(text)?.into_iter().enumerate() {
        stored.push(apply(client, document, index + 1).await?);
    }
    Ok(stored)
}

/// The documents of the text; a `List` stands for its items, an empty document for nothing.
fn documents(text: &str) -> Result<Vec<Value>, ClusterError> {
    let parsed: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| ClusterError::Manifest {
        number: 1,
        reason: format!("not YAML: {error}"),
    })?;
    let mut documents = Vec::new();
    for document in parsed {
        match document.get("items").and_then(Value::as_array) {
            Some(items) if document["kind"] == "List" => documents.extend(items.iter().cloned()),
            _ if document.is_null() => {}
            _ => documents.push(document),
        }
    }
    Ok(documents)
}

async fn apply(client: &Client, document: Value, number: usize) -> Result<DynamicObject, ClusterError> {
    let wrong = |reason: String| ClusterError::Manifest { number, reason };
    let object: DynamicObject = serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
    let types = object
        .types
        .clone()
        .ok_or_else(|| wrong("apiVersion or kind is missing".to_owned()))?;
    let name = object
        .metadata
        .name
        .clone()
        .ok_or_else(|| wrong("metadata.name is missing".to_owned()))?;
    let kind = GroupVersionKind::try_from(&types).map_err(|error| wrong(error.to_string()))?;
    let (resource, capabilities) = discover(client, &kind).await?;
    let api = api_for(client, &object, &resource, &capabilities);
    let params = PatchParams::apply(MANAGER).force();
    let stored = api
        .patch(&name, &params, &Patch::Apply(&object))
        .await
        .map_err(ClusterError::request(format!(
            "cannot apply {} {name} (document {number})",
            kind.kind
        )))?;
    if kind.kind == "CustomResourceDefinition" {
        wait_established(client, &stored.name_any()).await?;
    }
    Ok(stored)
}

async fn discover(
    client: &Client,
    kind: &GroupVersionKind,
) -> Result<(ApiResource, ApiCapabilities), ClusterError> {
    let found = pinned_kind(client, kind).await;
    found.map_err(ClusterError::request(format!(
        "the API server does not serve {}/{}",
        kind.api_version(),
        kind.kind
    )))
}

fn api_for(
    client: &Client,
    object: &DynamicObject,
    resource: &ApiResource,
    capabilities: &ApiCapabilities,
) -> Api<DynamicObject> {
    if capabilities.scope == Scope::Cluster {
        return Api::all_with(client.clone(), resource);
    }
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    Api::namespaced_with(client.clone(), namespace, resource)
}

/// Waits until the kind is established and discovery lists it: requests for it would fail before.
async fn wait_established(client: &Client, name: &str) -> Result<(), ClusterError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let established = until(
        format!("definition {name} to be served"),
        ESTABLISHED,
        async || {
            let definition = api.get(name).await.map_err(|error| error.to_string())?;
            let conditions = definition
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default();
            if !conditions
                .iter()
                .any(|condition| condition.type_ == "Established" && condition.status == "True")
            {
                return Err(format!("conditions {conditions:?}"));
            }
            for version in definition.spec.versions.iter().filter(|version| version.served) {
                let kind =
                    GroupVersionKind::gvk(&definition.spec.group, &version.name, &definition.spec.names.kind);
                pinned_kind(client, &kind)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            Ok(())
        },
    );
    established.await.map_err(|error| ClusterError::Manifest {
        number: 1,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn lists_are_flattened_and_empty_documents_skipped() {
        let text = "---\n# nothing\n---\nkind: A\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n";
        let kinds: Vec<_> = documents(text)
            .unwrap()
            .iter()
            .map(|value| value["kind"].clone())
            .collect();
        assert_eq!(kinds, ["A", "B", "C"]);
    }
}
