//! Writes the status subresource, only when it says something new, in one request.
//!
//! By server-side apply with our own field manager: it needs no resource version, and what the new status no longer
//! names is removed. Bound to the object's uid, so that a write never brings a deleted object back. A successor of the
//! same name refuses it too, unless it is a custom resource: there the server ignores the uid (seen on 1.36), and the
//! successor is woken to put its status right.

use std::collections::BTreeMap;

use kube::{Client, Resource, core::ApiResource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    apply::{ApplyError, is_about_uid, merge_status, server_side_apply},
    cache::{RawObject, WriteSink, Writing},
};

/// Whose status is written.
#[derive(Clone, Debug)]
pub struct StatusTarget {
    resource: ApiResource,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    version: Option<String>,
}

impl StatusTarget {
    /// `object`, as it was when the new status was found out.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        let meta = object.meta();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            resource: ApiResource::erase::<K>(&()),
            namespace: text(&meta.namespace),
            name: text(&meta.name),
            uid: text(&meta.uid),
            generation: meta.generation.unwrap_or_default(),
            version: None,
        }
    }

    /// The same, to be written only while the object is stored in this `metadata.resourceVersion`; else the write ends with a
    /// conflict, which is retryable.
    #[must_use]
    pub fn at(self, version: Option<String>) -> Self {
        Self { version, ..self }
    }

    /// Whether `stored` is another object, or one that somebody has changed since: a status write changes neither.
    fn overtaken(&self, stored: &RawObject) -> bool {
        stored.uid() != self.uid || stored.generation() != self.generation
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
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: &'a str,
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
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
        sink: &dyn WriteSink,
    ) -> Result<StatusWritten, ApplyError> {
        if stored == Some(new) {
            return Ok(StatusWritten::Unchanged);
        }
        let StatusTarget {
            resource,
            namespace,
            name,
            uid,
            generation: _,
            version,
        } = target;
        let failed = |error| ApplyError::classify(&resource.kind, namespace, name, error);
        let body = serde_json::to_vec(&Body {
            api_version: &resource.api_version,
            kind: &resource.kind,
            metadata: Metadata {
                name,
                uid,
                resource_version: version.as_deref(),
            },
            status: new,
        })
        .map_err(|source| failed(kube::Error::SerdeError(source)))?;
        let writing = Writing::begin(sink, namespace, name);
        let applied =
            server_side_apply(&self.client, resource, (namespace, name), Some("status"), body).await;
        let applied = match applied {
            Ok(raw) => self.without_leftovers(target, new, raw).await,
            refused => refused,
        };
        match applied {
            Ok(raw) => {
                if target.overtaken(&raw) {
                    writing.succeeded_over_change(&raw);
                } else {
                    writing.succeeded(&raw);
                }
                Ok(StatusWritten::Written)
            }
            Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => {
                Ok(StatusWritten::Gone)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

impl StatusWriter {
    /// An operator before this one may have set fields that the new status does not name. We never owned them, so an apply
    /// leaves them, and they would be told for ever.
    async fn without_leftovers<S: Serialize + Sync>(
        &self,
        target: &StatusTarget,
        new: &S,
        written: RawObject,
    ) -> Result<RawObject, kube::Error> {
        let leftovers = leftovers(new, &written).map_err(kube::Error::SerdeError)?;
        if leftovers.is_empty() {
            return Ok(written);
        }
        let nothing: serde_json::Map<_, _> =
            leftovers.into_iter().map(|field| (field, Value::Null)).collect();
        let body = serde_json::json!({"metadata": {"uid": target.uid}, "status": nothing});
        let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
        let name = (target.namespace.as_str(), target.name.as_str());
        merge_status(&self.client, &target.resource, name, body).await
    }
}

/// Fields of the stored status that `new` does not have.
fn leftovers<S: Serialize>(new: &S, stored: &RawObject) -> Result<Vec<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Stored {
        #[serde(default)]
        status: BTreeMap<String, Value>,
    }
    let stored: Stored = serde_json::from_str(stored.json())?;
    let new = serde_json::to_value(new)?;
    let fields = stored.status.into_keys();
    Ok(fields.filter(|field| new.get(field).is_none()).collect())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn what_an_earlier_operator_said_is_found() {
        let json =
            r#"{"metadata": {"name": "a", "uid": "1"}, "status": {"status": "Ready", "errMsg": "old"}}"#;
        let stored = RawObject::from_text(json).unwrap();
        let leftovers = |new: &serde_json::Value| leftovers(new, &stored).unwrap();
        assert_eq!(leftovers(&serde_json::json!({"status": "Ready"})), ["errMsg"]);
        assert!(leftovers(&serde_json::json!({"status": "x", "errMsg": "y", "more": 1})).is_empty());
    }

    #[test]
    fn an_edit_or_a_successor_in_the_answer_is_noticed() {
        let raw = |uid: &str, generation: i64| {
            let json = serde_json::json!({"metadata": {"name": "a", "uid": uid, "generation": generation}});
            RawObject::from_text(json.to_string()).unwrap()
        };
        let mut object = ConfigMap::default();
        object.metadata.uid = Some("1".into());
        object.metadata.generation = Some(3);
        let target = StatusTarget::of(&object);
        assert!(!target.overtaken(&raw("1", 3)));
        assert!(target.overtaken(&raw("1", 4)), "its spec was edited meanwhile");
        assert!(target.overtaken(&raw("2", 3)), "another object of that name");
    }
}
