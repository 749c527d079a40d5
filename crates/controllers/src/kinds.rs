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

/// Group of `AIDeployment`, `AIModelMap` and `AutoNodeLabeler`.
pub const PREM_GROUP: &str = "premlabs.io";
/// Their version.
pub const PREM_VERSION: &str = "v1alpha1";
/// Kind, as in keys, owner references and Events.
pub const AI_DEPLOYMENT: &str = "AIDeployment";
/// Kind, as in keys, owner references and Events.
pub const AI_MODEL_MAP: &str = "AIModelMap";
/// Kind, as in keys and Events.
pub const AUTO_NODE_LABELER: &str = "AutoNodeLabeler";
/// Kind, as in keys.
pub const NODE: &str = "Node";
/// `<lower case kind>.<group>` of an `AIDeployment`.
pub(crate) const AI_DEPLOYMENT_LABEL: &str = "aideployment.premlabs.io";

/// Group of `NvidiaGpuLlm`.
pub const INFRA_GROUP: &str = "infra.example.com";
/// Its version.
pub const INFRA_VERSION: &str = "v1";
/// Kind, as in keys, owner references and Events.
pub const NVIDIA_GPU_LLM: &str = "NvidiaGpuLlm";
/// `<lower case kind>.<group>` of an `NvidiaGpuLlm`.
pub(crate) const NVIDIA_GPU_LLM_LABEL: &str = "nvidiagpullm.infra.example.com";

/// Group of the kinds that name a model of the catalogue.
pub const AI_GROUP: &str = "ai.example.com";
/// Their version.
pub const AI_VERSION: &str = "v1";
/// Kind as in keys, which must tell it from `llm.example.com`'s; in the API it is `LLMModel`.
pub const AI_LLM_MODEL: &str = "LLMModel.ai.example.com";
/// Kind, as in keys, owner references and Events.
pub const MODEL_DEPLOYMENT: &str = "ModelDeployment";
/// `<lower case kind>.<group>`.
pub(crate) const AI_LLM_MODEL_LABEL: &str = "llmmodel.ai.example.com";
/// `<lower case kind>.<group>`.
pub(crate) const MODEL_DEPLOYMENT_LABEL: &str = "modeldeployment.ai.example.com";

/// Group of `DynamoGraphDeployment`.
pub const NVIDIA_GROUP: &str = "nvidia.com";
/// Its version.
pub const NVIDIA_VERSION: &str = "v1";
/// Kind, as in keys, owner references and Events.
pub const DYNAMO_GRAPH_DEPLOYMENT: &str = "DynamoGraphDeployment";
/// `<lower case kind>.<group>`.
pub(crate) const DYNAMO_GRAPH_DEPLOYMENT_LABEL: &str = "dynamographdeployment.nvidia.com";

/// The ConfigMap of the operator's namespace with the cluster's own models.
pub const MODELS_CONFIG_MAP: &str = "llm-operator-models";

/// Kind, as in keys, owner references and Events.
pub const LLMD: &str = "Llmd";
/// Kind, as in keys, owner references and Events.
pub const DATA_SCIENCE_CLUSTER: &str = "DataScienceCluster";
