//! `DynamoGraphDeployment` as a serving kind.
//!
//! In: a resource. Out: what it asks for in the words of [`crate::catalogued`], and the words of its status.

use std::sync::Arc;

use api::{
    nvidia_com::v1::DynamoGraphDeployment,
    shared::{CataloguedStatus, State},
};
use reconcile::WatchCache;
use serving::{
    labels,
    plan::ServingPlan,
    request::{Identity, PodForm, Settings},
};

use crate::{
    caches::Caches,
    catalogued::{
        accept::accept,
        asked::Asked,
        keys, options,
        status::{stored, worded},
    },
    kinds::{DYNAMO_GRAPH_DEPLOYMENT, DYNAMO_GRAPH_DEPLOYMENT_LABEL, NVIDIA_GROUP, NVIDIA_VERSION},
    lookup::Lookup,
    parsing, promise,
    scaler::Scaler,
    serving_kind::{
        Planned, ServingKind, ServingRoot,
        rejection::Rejection,
        status::{Seen, ServingStatus},
    },
    workload::WorkloadKind,
};

impl ServingRoot for DynamoGraphDeployment {
    const KIND: &'static str = DYNAMO_GRAPH_DEPLOYMENT;
    const POD_OWNER: &'static str = DYNAMO_GRAPH_DEPLOYMENT_LABEL;

    fn names(&self) -> Vec<String> {
        keys(
            self.metadata.namespace.as_deref().unwrap_or_default(),
            self.spec.serving.as_ref(),
        )
    }

    fn state(&self) -> Option<State> {
        self.status.as_ref()?.state
    }

    fn reason(&self) -> Option<&str> {
        self.status.as_ref()?.reason.as_deref()
    }
}

impl Planned for DynamoGraphDeployment {
    const GPU_COUNT_FIELD: &'static str = "spec.model.placement.tensor_parallel_size";

    fn accept(&self, known: &dyn Lookup, _scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        let identity = identity(self);
        let owner = format!("{} {}", identity.kind, identity.name);
        let spec = &self.spec;
        let placement = spec.model.placement.as_ref();
        let scaling = promise::dynamo_sla(
            spec.sla.as_ref(),
            replicas(self),
            spec.max_replicas,
            spec.idle_after.as_deref(),
        )
        .map_err(|errors| Rejection::invalid(errors, |_| owner.clone()))?;
        let asked = Asked {
            model: &spec.model.name,
            model_field: "model.name",
            replicas: replicas(self),
            scaling,
            gpu_type: placement.and_then(|placement| placement.gpu_type.as_deref()),
            gpu_type_field: "model.placement.gpu_type",
            gpus: placement.and_then(|placement| placement.tensor_parallel_size),
            gpus_field: "model.placement.tensor_parallel_size",
            options: options(spec.serving.as_ref()),
            workload: Self::WORKLOAD,
            settings: Settings::Arguments,
            standing: self.status.as_ref().and_then(|status| status.sizing.as_ref()),
            identity: identity.clone(),
        };
        accept(&asked, known)
    }
}

impl ServingKind for DynamoGraphDeployment {
    const WORKLOAD: WorkloadKind = WorkloadKind::StatefulSet;
    const REPLICAS_FIELD: &'static str = "spec.replicas";

    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>> {
        &caches.dynamo_deployments
    }

    fn replicas(&self) -> Option<i32> {
        Some(replicas(self))
    }

    fn selector(&self) -> String {
        labels::selector_text(&identity(self), PodForm::Own)
    }

    fn stored(&self) -> ServingStatus {
        stored(self.status.as_ref())
    }

    fn worded(&self, common: ServingStatus, seen: &Seen<'_>) -> CataloguedStatus {
        worded(self.status.as_ref(), common, seen)
    }
}

/// Who owns what is made.
fn identity(resource: &DynamoGraphDeployment) -> Identity {
    parsing::identity(
        &resource.metadata,
        DYNAMO_GRAPH_DEPLOYMENT,
        (NVIDIA_GROUP, NVIDIA_VERSION),
    )
}

/// The least number of replicas; 1 when nothing is said.
fn replicas(resource: &DynamoGraphDeployment) -> i32 {
    resource.spec.replicas.unwrap_or(1)
}
