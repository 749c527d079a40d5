//! `NvidiaGpuLlm` as caches, triggers and `render` see it.

use api::{infra_example_com::v1::NvidiaGpuLlm, shared::State};
use serving::plan::ServingPlan;

use super::accept::accept;
use crate::{
    kinds::{NVIDIA_GPU_LLM, NVIDIA_GPU_LLM_LABEL},
    lookup::Lookup,
    scaler::Scaler,
    serving_kind::{Planned, ServingRoot, rejection::Rejection},
    triggers,
};

impl ServingRoot for NvidiaGpuLlm {
    const KIND: &'static str = NVIDIA_GPU_LLM;
    const POD_OWNER: &'static str = NVIDIA_GPU_LLM_LABEL;

    fn names(&self) -> Vec<String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let llm_name = &self.spec.llm_name;
        vec![
            triggers::llm_key(namespace, llm_name),
            triggers::named("claim", namespace, llm_name),
        ]
    }

    fn state(&self) -> Option<State> {
        self.status.as_ref()?.state
    }

    fn reason(&self) -> Option<&str> {
        self.status.as_ref()?.reason.as_deref()
    }
}

impl Planned for NvidiaGpuLlm {
    const GPU_COUNT_FIELD: &'static str = "spec.gpuCount";

    fn accept(&self, known: &dyn Lookup, _scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        accept(self, known.operator_namespace())
    }
}
