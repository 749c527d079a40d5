//! `ai.example.com`'s `LLMModel` as a serving kind.
//!
//! In: a resource. Out: what it asks for in the words of [`crate::catalogued`], and the words of its status.

use std::sync::Arc;

use api::{
    ai_example_com::v1::LLMModel,
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
    kinds::{AI_GROUP, AI_LLM_MODEL, AI_LLM_MODEL_LABEL, AI_VERSION, LLM_MODEL},
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

impl ServingRoot for LLMModel {
    const KIND: &'static str = AI_LLM_MODEL;
    const POD_OWNER: &'static str = AI_LLM_MODEL_LABEL;

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

impl Planned for LLMModel {
    const GPU_COUNT_FIELD: &'static str = "spec.serving.gpus";

    fn accept(&self, known: &dyn Lookup, _scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        let identity = identity(self);
        let owner = format!("{} {}", identity.kind, identity.name);
        let spec = &self.spec;
        let scaling = promise::scaling(spec.scaling.as_ref(), spec.replicas)
            .map_err(|errors| Rejection::invalid(errors, |_| owner.clone()))?;
        let asked = Asked {
            model: spec.model_name.as_deref().unwrap_or(&identity.name),
            model_field: "modelName",
            replicas: spec.replicas,
            scaling,
            gpu_type: spec.gpu_type.as_deref(),
            gpu_type_field: "gpuType",
            gpus: spec.serving.as_ref().and_then(|serving| serving.gpus),
            gpus_field: "serving.gpus",
            options: options(spec.serving.as_ref()),
            workload: Self::WORKLOAD,
            settings: Settings::Arguments,
            standing: self.status.as_ref().and_then(|status| status.sizing.as_ref()),
            identity: identity.clone(),
        };
        accept(&asked, known)
    }
}

impl ServingKind for LLMModel {
    const WORKLOAD: WorkloadKind = WorkloadKind::Deployment;
    const REPLICAS_FIELD: &'static str = "spec.replicas";

    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>> {
        &caches.ai_models
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
fn identity(resource: &LLMModel) -> Identity {
    parsing::identity(&resource.metadata, LLM_MODEL, (AI_GROUP, AI_VERSION))
}
