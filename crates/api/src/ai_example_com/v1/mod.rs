//! Version `v1`: models by their usual name.

pub mod llm_model;
pub mod model_deployment;

pub use llm_model::{LLMModel, LLMModelSpec, LLMModelStatus};
pub use model_deployment::{ModelDeployment, ModelDeploymentSpec, ModelDeploymentStatus, Sla};
