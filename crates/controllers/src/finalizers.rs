//! The operator's finalizers: which kinds have one, so that whoever removes the operator knows what would wait for it.
//!
//! In: nothing. Out: names, and the one table of them. Putting on and taking off is each controller's own affair.

use api::{
    infra_example_com::v1::NvidiaGpuLlm, opendatahub_io::components::v1alpha1::Llmd,
    premlabs_io::v1alpha1::AutoNodeLabeler,
};
use kube::api::ApiResource;

/// Keeps an `AutoNodeLabeler` until its labels are gone from the nodes.
pub const AUTO_NODE_LABELER: &str = "premlabs.io/node-labels";
/// Keeps an `NvidiaGpuLlm` with objects from going before them.
pub const NVIDIA_GPU_LLM: &str = "infra.example.com/gpu-llm";
/// Keeps an `Llmd` until its releases are gone.
pub const LLMD: &str = "components.platform.opendatahub.io/llm-d-releases";

/// A kind whose resources may have a finalizer of the operator.
#[derive(Clone, Debug)]
pub struct Finalized {
    /// The kind.
    pub resource: ApiResource,
    /// Its finalizer.
    pub finalizer: &'static str,
    /// Whether its resources live in namespaces.
    pub namespaced: bool,
    /// Whether an operator with rights in single namespaces serves it.
    pub of_a_namespace: bool,
}

/// Every such kind.
pub fn finalized() -> [Finalized; 3] {
    let kind = |resource, finalizer, namespaced, of_a_namespace| Finalized {
        resource,
        finalizer,
        namespaced,
        of_a_namespace,
    };
    [
        kind(
            ApiResource::erase::<NvidiaGpuLlm>(&()),
            NVIDIA_GPU_LLM,
            true,
            true,
        ),
        kind(
            ApiResource::erase::<AutoNodeLabeler>(&()),
            AUTO_NODE_LABELER,
            true,
            false,
        ),
        kind(ApiResource::erase::<Llmd>(&()), LLMD, false, false),
    ]
}
