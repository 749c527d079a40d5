//! The custom resources: types, schema, validation rules and printer columns.
//!
//! In: nothing. Out: Rust types per API group and version, and [`crds`], the definitions to install.
//! It must not contain behaviour: whatever a field *means* is decided in `controllers` and `serving`.

// Printer columns of kube's derive repeat `type_ = "string"`, which this lint takes for a duplicated attribute.
#![allow(clippy::duplicated_attributes)]

pub mod ai_example_com;
pub mod infra_example_com;
pub mod llm_example_com;
pub mod nvidia_com;
pub mod opendatahub_io;
pub mod premlabs_io;
pub mod shared;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

use crate::{
    ai_example_com::v1::ModelDeployment,
    infra_example_com::v1::NvidiaGpuLlm,
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    nvidia_com::v1::DynamoGraphDeployment,
    opendatahub_io::{components::v1alpha1::Llmd, datasciencecluster::v2::DataScienceCluster},
    premlabs_io::v1alpha1::{AIDeployment, AIModelMap, AutoNodeLabeler},
    shared::definition::with_optional_spec,
};

/// Every custom resource definition of our own, ready to install, in a stable order.
///
/// Always install these, never a type's own `crd()`: [`shared::definition::finished`] has been over them.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [
        LLMModel::crd(),
        LLMDeployment::crd(),
        with_optional_spec(AIDeployment::crd()),
        with_optional_spec(AIModelMap::crd()),
        AutoNodeLabeler::crd(),
        NvidiaGpuLlm::crd(),
        with_optional_spec(ai_example_com::v1::LLMModel::crd()),
        ModelDeployment::crd(),
        Llmd::crd(),
    ]
    .into_iter()
    .map(shared::definition::finished)
    .collect()
}

/// Definitions that belong to others on many clusters: installed only when asked for, and told from theirs by
/// [`shared::definition::is_marked`].
pub fn optional_crds() -> Vec<CustomResourceDefinition> {
    [DynamoGraphDeployment::crd(), DataScienceCluster::crd()]
        .into_iter()
        .map(shared::definition::finished)
        .map(shared::definition::marked)
        .collect()
}
