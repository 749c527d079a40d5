//! `LLMDeployment` as a serving kind.

use std::sync::Arc;

use api::{
    llm_example_com::v1alpha1::{LLMDeployment, LLMDeploymentStatus},
    shared::State,
};
use reconcile::WatchCache;
use serving::{labels, plan::ServingPlan, request::PodForm};

use super::{accept::accept, validate::identity};
use crate::{
    caches::Caches,
    kinds::{LLM_DEPLOYMENT, LLM_DEPLOYMENT_LABEL},
    lookup::Lookup,
    scaler::Scaler,
    serving_kind::{
        Planned, ServingKind, ServingRoot,
        rejection::Rejection,
        status::{Seen, ServingStatus},
    },
    triggers,
    workload::WorkloadKind,
};

impl ServingRoot for LLMDeployment {
    const KIND: &'static str = LLM_DEPLOYMENT;
    const POD_OWNER: &'static str = LLM_DEPLOYMENT_LABEL;

    fn names(&self) -> Vec<String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        vec![triggers::named("model", namespace, &self.spec.model_ref)]
    }

    fn state(&self) -> Option<State> {
        self.status.as_ref()?.state
    }

    fn reason(&self) -> Option<&str> {
        self.status.as_ref()?.reason.as_deref()
    }
}

impl Planned for LLMDeployment {
    const GPU_COUNT_FIELD: &'static str = "spec.gpu.count of the LLMModel";

    fn accept(&self, known: &dyn Lookup, scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        accept(self, known, scaler)
    }
}

impl ServingKind for LLMDeployment {
    const WORKLOAD: WorkloadKind = WorkloadKind::Deployment;
    const REPLICAS_FIELD: &'static str = "spec.replicas";

    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>> {
        &caches.deployments
    }

    fn replicas(&self) -> Option<i32> {
        Some(self.spec.replicas)
    }

    fn selector(&self) -> String {
        labels::selector_text(&identity(self), PodForm::Own)
    }

    fn stored(&self) -> ServingStatus {
        let stored = self.status.clone().unwrap_or_default();
        ServingStatus {
            observed_generation: stored.observed_generation,
            replicas: stored.replicas,
            ready_replicas: stored.ready_replicas,
            selector: stored.selector,
            state: stored.state,
            reason: stored.reason,
            model: stored.model,
            image: stored.image,
            gpu: stored.gpu,
            scaling: stored.scaling,
            conditions: stored.conditions,
        }
    }

    fn worded(&self, common: ServingStatus, _seen: &Seen<'_>) -> LLMDeploymentStatus {
        LLMDeploymentStatus {
            observed_generation: common.observed_generation,
            replicas: common.replicas,
            ready_replicas: common.ready_replicas,
            selector: common.selector,
            state: common.state,
            reason: common.reason,
            model: common.model,
            image: common.image,
            gpu: common.gpu,
            scaling: common.scaling,
            conditions: common.conditions,
        }
    }
}
