//! Writes the status subresource, only when it says something new, in one request.
//!
//! By server-side apply with our own field manager: it needs no resource version, and what the new status no longer
//! names is removed. Bound to the object's uid, so that a write never brings a deleted object back. A successor of the
//! same name refuses it too, unless it is a custom resource: there the server ignores the uid (seen on 1.36), and the
//! successor's own reconcile, which is queued by then, puts its status right.

use kube::{Client, Resource, core::ApiResource};
use serde::Serialize;

use crate::{
    apply::{ApplyError, is_about_uid, server_side_apply},
    cache::{RawObject, WatchCache},
};

/// Whose status is written.
#[derive(Clone, Debug)]
pub struct StatusTarget {
    resource: ApiResource,
    namespace: String,
    name: String,
    uid: String,
}

impl StatusTarget {
    /// The object `namespace`/`name` of kind `K` with this uid; empty namespace for cluster-scoped kinds.
    pub fn new<K: Resource<DynamicType = ()>>(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            resource: ApiResource::erase::<K>(&()),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
        }
    }
}

/// Where the answer of a status write goes, so that the next reconcile sees it: the cache of the resource.
pub trait StatusSink: Send + Sync {
    /// Takes in the object as it was stored.
    fn stored(&self, raw: &RawObject);
}

impl<T: Send + Sync> StatusSink for WatchCache<T> {
    fn stored(&self, raw: &RawObject) {
        self.observe_written(raw);
    }
}

/// What a status write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWritten {
    /// The stored status says the same.
    Unchanged,
    /// Written.
    Written,
    /// The object is gone or another one has its name; nothing to write to.
    Gone,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, S> {
    api_version: &'a str,
    kind: &'a str,
    metadata: Metadata<'a>,
    status: &'a S,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    uid: &'a str,
}

/// Writes statuses. Cheap to clone.
#[derive(Clone)]
pub struct StatusWriter {
    client: Client,
}

impl std::fmt::Debug for StatusWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusWriter").finish_non_exhaustive()
    }
}

impl StatusWriter {
    /// A writer that uses `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Writes `new` unless it equals `stored`, the status in the cache. Merge conditions with the stored ones first
    /// ([`conditions::merge`](crate::conditions::merge)), or their times make every status look new.
    pub async fn write<S: Serialize + PartialEq + Sync>(
        &self,
        target: &StatusTarget,
        stored: Option<&S>,
        new: &S,
        sink: &dyn StatusSink,
    ) -> Result<StatusWritten, ApplyError> {
        if stored == Some(new) {
            return Ok(StatusWritten::Unchanged);
        }
        let StatusTarget {
            resource,
            namespace,
            name,
            uid,
        } = target;
        let failed = |error| ApplyError::classify(&resource.kind, namespace, name, error);
        let body = serde_json::to_vec(&Body {
            api_version: &resource.api_version,
            kind: &resource.kind,
            metadata: Metadata { name, uid },
            status: new,
        })
        .map_err(|source| failed(kube::Error::SerdeError(source)))?;
        match server_side_apply(&self.client, resource, (namespace, name), Some("status"), body).await {
            Ok(raw) => {
                sink.stored(&raw);
                Ok(StatusWritten::Written)
            }
            Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => {
                Ok(StatusWritten::Gone)
            }
            Err(error) => Err(failed(error)),
        }
    }
}
