//! `premlabs.io/v1alpha1`: engines with their models ([AIDeployment]), the models they share ([AIModelMap]), and labels for
//! nodes ([AutoNodeLabeler]).

pub mod ai_deployment;
pub mod ai_model_map;
pub mod auto_node_labeler;
pub mod deployment;

pub use ai_deployment::{
    AIDeployment, AIDeploymentSpec, AIDeploymentStatus, Endpoint, EngineSpec, IngressSpec, ModelEntry,
    ModelMapRef, ObjectLabels,
};
pub use ai_model_map::{AIModelMap, AIModelMapSpec, AIModelMapStatus, ModelParameters, ModelVariant};
pub use auto_node_labeler::{AutoNodeLabeler, AutoNodeLabelerSpec, AutoNodeLabelerStatus, MatchExpression};
pub use deployment::{Accelerator, DeploymentSpec, ProbeOverride, ResourceSpec, Version};
