//! `llm.example.com/v1alpha1`: a model ([`LLMModel`]) and how it is run ([`LLMDeployment`]).

pub mod llm_deployment;
pub mod llm_model;

pub use llm_deployment::{LLMDeployment, LLMDeploymentSpec, LLMDeploymentStatus};
pub use llm_model::{LLMModel, LLMModelSpec, LLMModelStatus};
