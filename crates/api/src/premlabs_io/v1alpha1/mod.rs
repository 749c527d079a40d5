//! `premlabs.io/v1alpha1`: engines with their models ([AIDeployment]) and the models they share ([AIModelMap]).

pub mod ai_deployment;
pub mod ai_model_map;
pub mod deployment;

pub use ai_deployment::{
    AIDeployment, AIDeploymentSpec, AIDeploymentStatus, Endpoint, EngineSpec, IngressSpec, ModelEntry,
    ModelMapRef, ObjectLabels,
};
pub use ai_model_map::{AIModelMap, AIModelMapSpec, AIModelMapStatus, ModelParameters, ModelVariant};
pub use deployment::{Accelerator, DeploymentSpec, ProbeOverride, ResourceSpec, Version};
