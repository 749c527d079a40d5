//! Version `v1`: models by their usual name.

pub mod llm_model;
pub mod model_deployment;

pub use llm_model::{LLMModel, LLMModelSpec};
pub use model_deployment::{ModelDeployment, ModelDeploymentSpec, Sla};
