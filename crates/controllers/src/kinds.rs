//! The kinds that are reconciled here, by name. Constants and nothing else, so that whoever needs a name does not need
//! the controller behind it.

/// Group of `LLMDeployment` and `LLMModel`.
pub const LLM_GROUP: &str = "llm.example.com";
/// Their version.
pub const LLM_VERSION: &str = "v1alpha1";
/// Kind, as in keys, owner references and Events.
pub const LLM_DEPLOYMENT: &str = "LLMDeployment";
/// Kind, as in keys and Events.
pub const LLM_MODEL: &str = "LLMModel";
/// `<lower case kind>.<group>` of a deployment, the value of the Pods' label `llm-operator.io/kind`.
pub(crate) const LLM_DEPLOYMENT_LABEL: &str = "llmdeployment.llm.example.com";
