//! Raw writes by server-side apply, and by other patches where that cannot do it: bytes in, the stored object as text
//! out. No decisions.

use kube::{
    Client,
    core::{ApiResource, DynamicObject, Resource},
};

use crate::{FIELD_MANAGER, cache::RawObject};

/// Content type of server-side apply; JSON is YAML.
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// Content type of a JSON merge patch.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Content type of a strategic merge patch, which knows the lists of built-in kinds by their keys.
const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";

/// Content type of a JSON patch: a list of operations.
const JSON_PATCH: &str = "application/json-patch+json";

/// An object as read from the API server.
pub(crate) struct Found {
    pub object: RawObject,
    /// Its whole text, `managedFields` too.
    pub text: String,
}

/// Applies `body` to `resource` `namespace`/`name`, or to its `subresource`, taking over fields that others set.
pub(crate) async fn server_side_apply(
    client: &Client,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    subresource: Option<&str>,
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    apply_as(
        client,
        FIELD_MANAGER,
        resource,
        (namespace, name),
        subresource,
        body,
    )
    .await
}

/// As [`server_side_apply`] under another field manager.
pub(crate) async fn apply_as(
    client: &Client,
    manager: &str,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    subresource: Option<&str>,
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let mut uri = object_path(resource, namespace, name);
    if let Some(subresource) = subresource {
        uri.push('/');
        uri.push_str(subresource);
    }
    uri.push_str("?force=true&fieldManager=");
    uri.push_str(manager);
    patch(client, uri, APPLY_PATCH, body).await
}

/// Applies `body` to `resource` `namespace`/`name` and leaves what others set: 409 when they set something else.
pub(crate) async fn apply_beside(
    client: &Client,
    manager: &str,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = managed_path(manager, resource, namespace, name);
    patch(client, uri, APPLY_PATCH, body).await
}

/// Merges `body` into `resource` `namespace`/`name`: lists are replaced as a whole.
pub(crate) async fn merge_as(
    client: &Client,
    manager: &str,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = managed_path(manager, resource, namespace, name);
    patch(client, uri, MERGE_PATCH, body).await
}

/// Whether `body` could be applied to `resource` `namespace`/`name`: everything but the storing is done.
pub(crate) async fn try_apply(
    client: &Client,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = managed_path(FIELD_MANAGER, resource, namespace, name) + "&force=true&dryRun=All";
    patch(client, uri, APPLY_PATCH, body).await
}

/// Merges `body` into `resource` `namespace`/`name`, a built-in kind: entries of keyed lists are merged one by one.
pub(crate) async fn strategic_merge_as(
    client: &Client,
    manager: &str,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = managed_path(manager, resource, namespace, name);
    patch(client, uri, STRATEGIC_MERGE_PATCH, body).await
}

/// Merges `body` into the status of `resource` `namespace`/`name`.
pub(crate) async fn merge_status(
    client: &Client,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = format!(
        "{}/status?fieldManager={FIELD_MANAGER}",
        object_path(resource, namespace, name)
    );
    patch(client, uri, MERGE_PATCH, body).await
}

/// Does the `operations` of a JSON patch to `resource` `namespace`/`name`.
pub(crate) async fn operate_as(
    client: &Client,
    manager: &str,
    resource: &ApiResource,
    (namespace, name): (&str, &str),
    operations: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let uri = managed_path(manager, resource, namespace, name);
    patch(client, uri, JSON_PATCH, operations).await
}

async fn patch(
    client: &Client,
    uri: String,
    content_type: &str,
    body: Vec<u8>,
) -> Result<RawObject, kube::Error> {
    let request = http::Request::patch(uri)
        .header(http::header::CONTENT_TYPE, content_type)
        .header(http::header::ACCEPT, "application/json")
        .body(body)
        .map_err(kube::Error::HttpError)?;
    decode(client.request_text(request).await?)
}

/// Path of one object for a write of `manager`.
fn managed_path(manager: &str, resource: &ApiResource, namespace: &str, name: &str) -> String {
    format!(
        "{}?fieldManager={manager}",
        object_path(resource, namespace, name)
    )
}

/// Reads one object from the API server, past all caches.
pub(crate) async fn get(
    client: &Client,
    resource: &ApiResource,
    namespace: &str,
    name: &str,
) -> Result<Found, kube::Error> {
    let request = http::Request::get(object_path(resource, namespace, name))
        .header(http::header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    let text = client.request_text(request).await?;
    let object = RawObject::from_text(&text).map_err(kube::Error::SerdeError)?;
    Ok(Found { object, text })
}

/// Path of one object. Names of Kubernetes objects need no escaping in a path; whoever builds a name that does gets a
/// 404 or 400 from the server.
pub(crate) fn object_path(resource: &ApiResource, namespace: &str, name: &str) -> String {
    let namespace = (!namespace.is_empty()).then_some(namespace);
    format!("{}/{name}", DynamicObject::url_path(resource, namespace))
}

fn decode(text: String) -> Result<RawObject, kube::Error> {
    RawObject::from_text(text).map_err(kube::Error::SerdeError)
}
