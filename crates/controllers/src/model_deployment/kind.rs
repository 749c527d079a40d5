//! `ModelDeployment` as a serving kind.
//!
//! In: a resource. Out: what it asks for in the words of [`crate::catalogued`], and the words of its status.

use std::sync::Arc;

use api::{
    ai_example_com::v1::ModelDeployment,
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
    kinds::{AI_GROUP, AI_VERSION, MODEL_DEPLOYMENT, MODEL_DEPLOYMENT_LABEL},
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

impl ServingRoot for ModelDeployment {
    const KIND: &'static str = MODEL_DEPLOYMENT;
    const POD_OWNER: &'static str = MODEL_DEPLOYMENT_LABEL;

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

impl Planned for ModelDeployment {
    const GPU_COUNT_FIELD: &'static str = "spec.serving.gpus";

    fn accept(&self, known: &dyn Lookup, _scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        let identity = identity(self);
        let owner = format!("{} {}", identity.kind, identity.name);
        let spec = &self.spec;
        let scaling = promise::sla(
            spec.sla.as_ref(),
            spec.replicas,
            spec.max_replicas,
            spec.idle_after.as_deref(),
        )
        .map_err(|errors| Rejection::invalid(errors, |_| owner.clone()))?;
        let asked = Asked {
            model: &spec.model,
            model_field: "model",
            replicas: spec.replicas,
            scaling,
            gpu_type: spec.gpu_type.as_deref(),
            gpu_type_field: "gpuType",
            gpus: spec.serving.as_ref().and_then(|serving| serving.gpus),
            gpus_field: "serving.gpus",
            options: options(spec.serving.as_ref()),
            workload: Self::WORKLOAD,
            settings: Settings::File,
            standing: self.status.as_ref().and_then(|status| status.sizing.as_ref()),
            identity: identity.clone(),
        };
        accept(&asked, known)
    }
}

impl ServingKind for ModelDeployment {
    const WORKLOAD: WorkloadKind = WorkloadKind::StatefulSet;
    const REPLICAS_FIELD: &'static str = "spec.replicas";

    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>> {
        &caches.model_deployments
    }

    fn replicas(&self) -> Option<i32> {
        Some(self.spec.replicas)
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
fn identity(resource: &ModelDeployment) -> Identity {
    parsing::identity(&resource.metadata, MODEL_DEPLOYMENT, (AI_GROUP, AI_VERSION))
}
