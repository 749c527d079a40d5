//! Labels on objects that belong to others: added by server-side apply under a manager of its own, never by force.
//!
//! In: an object as a cache knows it, and the labels that it is to carry of ours. Out: one request per change; what this
//! manager set before and no longer names is removed by the server. Labels of others are left as they are.

mod claims;

use std::collections::BTreeMap;

use kube::{Client, core::ApiResource};
use serde_json::json;

pub use claims::{LabelClaims, Manager, label_claims};

use crate::{
    apply::{ApplyError, apply_beside, get, is_about_uid, operate_as},
    cache::{RawObject, WriteSink, Writing},
};

/// The object whose labels are written.
#[derive(Clone, Copy, Debug)]
pub struct LabelTarget<'a> {
    /// Its type.
    pub resource: &'a ApiResource,
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Uid, so that a successor of the name is left alone and an object that is gone stays gone.
    pub uid: &'a str,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsWritten {
    /// Done; the cache has the answer.
    Written,
    /// The object is gone, or another one has its name.
    Gone,
    /// There was nothing to write after all: the cache is behind.
    Nothing,
}

/// Writes labels under one field manager. Cheap to clone.
#[derive(Clone)]
pub struct LabelWriter {
    client: Client,
    manager: String,
}

impl std::fmt::Debug for LabelWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabelWriter")
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

impl LabelWriter {
    /// A writer for the field manager `manager`.
    pub fn new(client: Client, manager: impl Into<String>) -> Self {
        Self {
            client,
            manager: manager.into(),
        }
    }

    /// Makes `labels` the labels of this manager, all others of its own removed. `news` says whether the stored object
    /// shows a change of somebody else that the caller has not looked at; whom it concerns is woken.
    ///
    /// # Errors
    /// As the API server said; a conflict when somebody else has set one of the labels to another value.
    pub async fn apply(
        &self,
        target: &LabelTarget<'_>,
        labels: &BTreeMap<&str, &str>,
        sink: &dyn WriteSink,
        news: impl FnOnce(&RawObject) -> bool,
    ) -> Result<LabelsWritten, ApplyError> {
        let mut body = json!({
            "apiVersion": target.resource.api_version,
            "kind": target.resource.kind,
            "metadata": {"name": target.name, "uid": target.uid},
        });
        if !labels.is_empty() {
            body["metadata"]["labels"] = json!(labels);
        }
        let writing = Writing::begin(sink, target.namespace, target.name);
        let name = (target.namespace, target.name);
        let answer = apply_beside(
            &self.client,
            &self.manager,
            target.resource,
            name,
            body.to_string().into_bytes(),
        );
        finish(target, writing, answer.await, news)
    }

    /// Takes the claims on the labels `keys` from every manager for which `from` holds, so that this one is alone with
    /// them. The labels themselves stay. Costs a read beside the write; `news` as for [`LabelWriter::apply`].
    ///
    /// # Errors
    /// As the API server said; a conflict when somebody has written the object meanwhile.
    pub async fn take_claims(
        &self,
        target: &LabelTarget<'_>,
        keys: &[&str],
        from: impl Fn(Manager<'_>) -> bool,
        sink: &dyn WriteSink,
        news: impl FnOnce(&RawObject) -> bool,
    ) -> Result<LabelsWritten, ApplyError> {
        let name = (target.namespace, target.name);
        let found = match get(&self.client, target.resource, name.0, name.1).await {
            Ok(found) => found.object,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(LabelsWritten::Gone),
            Err(error) => return Err(failed(target, error)),
        };
        if found.uid() != target.uid {
            return Ok(LabelsWritten::Gone);
        }
        let entries = claims::without_claims(found.managed_fields(), keys, from)
            .map_err(|error| failed(target, kube::Error::SerdeError(error)))?;
        let Some(entries) = entries else {
            return Ok(LabelsWritten::Nothing);
        };
        let operations = json!([
            {"op": "test", "path": "/metadata/uid", "value": target.uid},
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": found.version().to_string()},
        ]);
        let writing = Writing::begin(sink, target.namespace, target.name);
        let answer = operate_as(
            &self.client,
            &self.manager,
            target.resource,
            name,
            operations.to_string().into_bytes(),
        );
        finish(target, writing, answer.await, news)
    }
}

fn finish(
    target: &LabelTarget<'_>,
    writing: Writing<'_>,
    answer: Result<RawObject, kube::Error>,
    news: impl FnOnce(&RawObject) -> bool,
) -> Result<LabelsWritten, ApplyError> {
    match answer {
        Ok(raw) => {
            if news(&raw) {
                writing.succeeded_over_change(&raw);
            } else {
                writing.succeeded(&raw);
            }
            Ok(LabelsWritten::Written)
        }
        Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => {
            Ok(LabelsWritten::Gone)
        }
        Err(error) => Err(failed(target, error)),
    }
}

fn failed(target: &LabelTarget<'_>, error: kube::Error) -> ApplyError {
    ApplyError::classify(&target.resource.kind, target.namespace, target.name, error)
}
