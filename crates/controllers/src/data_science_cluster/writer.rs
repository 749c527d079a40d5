//! The writes: the `Llmd`, and the part of a cluster's status that is ours.
//!
//! In: what is wanted. Out: one request, two where somebody had added to the `Llmd`'s spec. Decides nothing.

use api::opendatahub_io::{components::v1alpha1::Llmd, datasciencecluster::v2::DataScienceCluster};
use kube::{
    Api, Client, Resource as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::ApiResource,
};
use reconcile::{ApplyError, FIELD_MANAGER, RawObject, WatchCache, apply::is_about_uid, cache::Writing};
use serde_json::{Value, json};

use super::{cluster::Cluster, component::Component, desired::Desired};
use crate::llmd::NAME;

/// Writes. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    components: Api<RawObject>,
    clusters: Api<RawObject>,
}

impl Writer {
    /// A writer that uses `client`.
    pub fn new(client: &Client) -> Self {
        Self {
            components: Api::all_with(client.clone(), &ApiResource::erase::<Llmd>(&())),
            clusters: Api::all_with(client.clone(), &ApiResource::erase::<DataScienceCluster>(&())),
        }
    }

    /// Makes the `Llmd` as desired: `known`, or a new one.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn apply(
        &self,
        desired: &Desired,
        known: Option<&Component>,
        cache: &WatchCache<Component>,
    ) -> Result<Component, ApplyError> {
        let body = desired.body(known.map(Component::uid));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let done = if known.is_some() { "updated" } else { "created" };
        let component = self.patch(&params, &Patch::Apply(&body), cache).await?;
        tracing::info!(llmd = NAME, "Llmd {done}");
        let Some(surplus) = desired.surplus(&component) else {
            return Ok(component);
        };
        let body = json!({"metadata": {
            "uid": component.uid(),
            "resourceVersion": component.metadata.resource_version,
        }, "spec": surplus});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.patch(&params, &Patch::Merge(&body), cache).await
    }

    async fn patch(
        &self,
        params: &PatchParams,
        patch: &Patch<&Value>,
        cache: &WatchCache<Component>,
    ) -> Result<Component, ApplyError> {
        let writing = Writing::begin(cache, "", NAME);
        let written = self.components.patch(NAME, params, patch).await;
        let written = written.map_err(about_llmd)?;
        let component = Component::read(&written);
        writing.succeeded(&written);
        component.map_err(|error| about_llmd(kube::Error::SerdeError(error)))
    }

    /// Deletes this `Llmd`; it goes when its releases are gone.
    ///
    /// # Errors
    /// As the API server said; that it is gone is none.
    pub async fn delete(&self, component: &Component) -> Result<(), ApplyError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(component.uid().to_owned()),
                ..Preconditions::default()
            }),
            ..DeleteParams::background()
        };
        match self.components.delete(NAME, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(|_| ()).map_err(about_llmd),
        }
    }

    /// Merges into the status of `cluster` as it is stored in the version that was looked at. None when it is gone.
    ///
    /// # Errors
    /// As the API server said; a conflict when somebody has written it since.
    pub async fn status(
        &self,
        cluster: &Cluster,
        status: &Value,
        cache: &WatchCache<Cluster>,
    ) -> Result<Option<Cluster>, ApplyError> {
        let name = cluster.name();
        let body = json!({"metadata": {
            "uid": cluster.uid(),
            "resourceVersion": cluster.metadata.resource_version,
        }, "status": status});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let failed = |error| ApplyError::classify(&DataScienceCluster::kind(&()), "", name, error);
        let writing = Writing::begin(cache, "", name);
        match self
            .clusters
            .patch_status(name, &params, &Patch::Merge(&body))
            .await
        {
            Ok(written) => {
                let read = Cluster::read(&written);
                writing.succeeded(&written);
                read.map(Some)
                    .map_err(|error| failed(kube::Error::SerdeError(error)))
            }
            Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

fn about_llmd(error: kube::Error) -> ApplyError {
    ApplyError::classify(&Llmd::kind(&()), "", NAME, error)
}
