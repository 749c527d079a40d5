//! The pure middle of the operator, offline: resources in, the objects that `run` would apply out.
//!
//! In: parsed documents. Out: the same bytes as the apply step sends, or what is wrong with which resource. No client.

use std::collections::BTreeMap;

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use diagnosis::facts::{ClaimFacts, NodeFacts};
use serving::plan::ServingPlan;

use crate::{
    llm_deployment::{
        accept::{self, Rejection},
        apply::desired,
        observe::gpu_need,
        validate::Referents,
    },
    referents::claim_modes,
};

/// Uid of an owner that was never stored.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Everything that a rendering may look at.
#[derive(Debug, Default)]
pub struct Input {
    /// Models by namespace and name.
    pub models: BTreeMap<(String, String), LLMModel>,
    /// Deployments in the order in which they were given.
    pub deployments: Vec<LLMDeployment>,
    /// Claims by namespace and name.
    pub claims: BTreeMap<(String, String), ClaimFacts>,
    /// Nodes; empty when none were given.
    pub nodes: Vec<NodeFacts>,
    /// The namespace in which the operator would run.
    pub operator_namespace: String,
}

/// What one deployment becomes.
#[derive(Debug)]
pub struct Rendered {
    /// `LLMDeployment <namespace>/<name>`.
    pub resource: String,
    /// The objects as JSON values, in the order in which they are applied.
    pub objects: Vec<serde_json::Value>,
    /// What a person should know: does it fit, where could it run.
    pub notes: Vec<String>,
}

/// Why something cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The resource would be rejected.
    #[error("{resource}: {rejection}")]
    Rejected {
        /// `LLMDeployment <namespace>/<name>`.
        resource: String,
        /// Why.
        rejection: Rejection,
    },
    /// An object cannot be built.
    #[error("{resource}: {message}")]
    Unbuildable {
        /// `LLMDeployment <namespace>/<name>`.
        resource: String,
        /// What went wrong.
        message: String,
    },
}

/// Renders every deployment; one that fails does not keep the others from being rendered.
pub fn render(input: &Input) -> Vec<Result<Rendered, RenderError>> {
    input
        .deployments
        .iter()
        .map(|deployment| one(input, deployment))
        .collect()
}

fn one(input: &Input, deployment: &LLMDeployment) -> Result<Rendered, RenderError> {
    let mut deployment = deployment.clone();
    deployment.metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let namespace = deployment.metadata.namespace.clone().unwrap_or_default();
    let name = deployment.metadata.name.clone().unwrap_or_default();
    let resource = format!("LLMDeployment {namespace}/{name}");
    let rejected = |rejection| RenderError::Rejected {
        resource: resource.clone(),
        rejection,
    };

    let model = &deployment.spec.model_ref;
    let Some(found) = input.models.get(&(namespace.clone(), model.clone())) else {
        return Err(rejected(Rejection::ModelNotFound { model: model.clone() }));
    };
    let plan = accept::plan(&deployment, found, referents(input, &namespace, found)).map_err(rejected)?;
    let unbuildable = |message| RenderError::Unbuildable {
        resource: resource.clone(),
        message,
    };
    let objects = desired(&plan, false)
        .map_err(|error| unbuildable(error.to_string()))?
        .iter()
        .map(|object| object.manifest().map_err(|error| unbuildable(error.to_string())))
        .collect::<Result<_, _>>()?;
    Ok(Rendered {
        objects,
        notes: notes(input, &plan),
        resource,
    })
}

fn referents(input: &Input, namespace: &str, model: &LLMModel) -> Referents {
    let claim = |name: &str| input.claims.get(&(namespace.to_owned(), name.to_owned()));
    Referents {
        claims: claim_modes(model, claim),
        most_replicas: None,
        operator_namespace: input.operator_namespace.clone(),
    }
}

fn notes(input: &Input, plan: &ServingPlan) -> Vec<String> {
    let Some(gpu) = plan.gpu.as_ref().filter(|_| !input.nodes.is_empty()) else {
        return Vec::new();
    };
    let need = gpu_need(gpu);
    let carrying = input
        .nodes
        .iter()
        .filter(|node| need.carried_by(node) >= need.count);
    let names: Vec<&str> = carrying.map(|node| &*node.name).collect();
    vec![if names.is_empty() {
        format!(
            "no node of the {} given carries {} per replica",
            input.nodes.len(),
            gpu.summary()
        )
    } else {
        format!("{} per replica: carried by {}", gpu.summary(), names.join(", "))
    }]
}
