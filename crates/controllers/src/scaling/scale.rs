//! Sets a workload's replicas where no autoscaler can: instead of one, and to zero and back.
//!
//! In: the workload and a number. Out: one write of its `/scale`, under a field manager of its own, so that the field is no longer ours
//! when the objects are applied. Who calls it compares first: a number that stands is not written.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;

use crate::workload::WorkloadKind;

/// Field manager of the number.
const MANAGER: &str = "llm-operator-scale";

/// What sets the replicas of workloads.
pub trait ScaleWrites: Send + Sync + 'static {
    /// Sets the replicas of a workload; one that is gone is no error.
    ///
    /// # Errors
    /// As the API server said.
    fn set(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        name: &str,
        replicas: u32,
    ) -> impl Future<Output = Result<(), kube::Error>> + Send;
}

/// See the module.
#[derive(Clone)]
pub struct ScaleWriter {
    client: Client,
}

impl std::fmt::Debug for ScaleWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScaleWriter").finish_non_exhaustive()
    }
}

impl ScaleWriter {
    /// A writer that uses `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn patch<K>(&self, namespace: &str, name: &str, replicas: u32) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned,
    {
        let workloads: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let body = serde_json::json!({"spec": {"replicas": replicas}});
        match workloads.patch_scale(name, &params, &Patch::Merge(&body)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            done => done.map(|_| ()),
        }
    }
}

impl ScaleWrites for ScaleWriter {
    async fn set(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        name: &str,
        replicas: u32,
    ) -> Result<(), kube::Error> {
        match kind {
            WorkloadKind::Deployment => self.patch::<Deployment>(namespace, name, replicas).await,
            WorkloadKind::StatefulSet => self.patch::<StatefulSet>(namespace, name, replicas).await,
        }
    }
}
