//! Finalizers: put on and taken off in one request each, and no other finalizer touched.
//!
//! In: an object as a cache knows it. Out: a merge patch bound to that very version, since the list is replaced as a
//! whole. By server-side apply a finalizer that somebody's manifest names too would never come off.

use kube::{Client, Resource, core::ApiResource};
use serde_json::json;

use crate::{
    FIELD_MANAGER,
    apply::{ApplyError, is_about_uid, merge_as},
    cache::{WriteSink, Writing},
};

/// Whether `object` has the finalizer.
pub fn has<K: Resource>(object: &K, finalizer: &str) -> bool {
    let finalizers = object.meta().finalizers.iter().flatten();
    finalizers.into_iter().any(|one| one == finalizer)
}

/// Writes finalizers. Cheap to clone.
#[derive(Clone)]
pub struct FinalizerWriter {
    client: Client,
}

impl std::fmt::Debug for FinalizerWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FinalizerWriter").finish_non_exhaustive()
    }
}

impl FinalizerWriter {
    /// A writer that uses `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Puts the finalizer on `object`.
    ///
    /// # Errors
    /// As the API server said; a conflict when the object has changed meanwhile.
    pub async fn add<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        finalizer: &str,
        sink: &dyn WriteSink,
    ) -> Result<(), ApplyError> {
        let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
        finalizers.push(finalizer.to_owned());
        self.write(object, &finalizers, sink).await
    }

    /// Takes the finalizer off `object`; the object goes with its last one.
    ///
    /// # Errors
    /// As for [`FinalizerWriter::add`].
    pub async fn remove<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        finalizer: &str,
        sink: &dyn WriteSink,
    ) -> Result<(), ApplyError> {
        let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
        finalizers.retain(|one| one != finalizer);
        self.write(object, &finalizers, sink).await
    }

    async fn write<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        finalizers: &[String],
        sink: &dyn WriteSink,
    ) -> Result<(), ApplyError> {
        let resource = ApiResource::erase::<K>(&());
        let meta = object.meta();
        let name = (
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        );
        let body = json!({"metadata": {
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
            "finalizers": finalizers,
        }});
        let going = meta.deletion_timestamp.is_some() && finalizers.is_empty();
        // The answer to the last finalizer is an object that is gone already; only the watch may say so.
        let writing = (!going).then(|| Writing::begin(sink, name.0, name.1));
        let body = body.to_string().into_bytes();
        match merge_as(&self.client, FIELD_MANAGER, &resource, name, body).await {
            Ok(raw) => {
                if let Some(writing) = writing {
                    writing.succeeded(&raw);
                }
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => Ok(()),
            Err(error) => Err(ApplyError::classify(&resource.kind, name.0, name.1, error)),
        }
    }
}
