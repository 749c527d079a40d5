//! The pure middle of the operator, offline: resources in, the objects that `run` would apply out.
//!
//! In: parsed documents. Out: the same bytes as the apply step sends, or what is wrong with which resource. No client.

use std::{collections::BTreeMap, sync::Arc};

use api::{
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    premlabs_io::v1alpha1::AIModelMap,
};
use diagnosis::facts::{ClaimFacts, NodeFacts};
use serving::plan::ServingPlan;

use crate::{
    lookup::{Absent, Lookup},
    serving_kind::{ServingKind, desired::desired, observe::gpu_need, rejection::Rejection},
};

/// Uid of an owner that was never stored.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Namespace and name.
type FullName = (String, String);

/// Everything that a rendering may look at.
#[derive(Debug, Default)]
pub struct Input {
    /// Models by namespace and name.
    pub models: BTreeMap<FullName, Arc<LLMModel>>,
    /// Maps of models by namespace and name.
    pub model_maps: BTreeMap<FullName, Arc<AIModelMap>>,
    /// Deployments in the order in which they were given.
    pub deployments: Vec<LLMDeployment>,
    /// Claims by namespace and name.
    pub claims: BTreeMap<FullName, Arc<ClaimFacts>>,
    /// Nodes; empty when none were given.
    pub nodes: Vec<NodeFacts>,
    /// The namespace in which the operator would run.
    pub operator_namespace: String,
}

impl Lookup for Input {
    fn model(&self, namespace: &str, name: &str) -> Result<Arc<LLMModel>, Absent> {
        given(&self.models, namespace, name).ok_or(Absent::Missing)
    }

    fn model_map(&self, namespace: &str, name: &str) -> Result<Arc<AIModelMap>, Absent> {
        given(&self.model_maps, namespace, name).ok_or(Absent::Missing)
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>> {
        given(&self.claims, namespace, name)
    }

    fn operator_namespace(&self) -> &str {
        &self.operator_namespace
    }
}

fn given<T>(objects: &BTreeMap<FullName, Arc<T>>, namespace: &str, name: &str) -> Option<Arc<T>> {
    objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
}

/// What one resource becomes.
#[derive(Debug)]
pub struct Rendered {
    /// `<kind> <namespace>/<name>`.
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
        /// `<kind> <namespace>/<name>`.
        resource: String,
        /// Why.
        rejection: Rejection,
    },
    /// An object cannot be built.
    #[error("{resource}: {message}")]
    Unbuildable {
        /// `<kind> <namespace>/<name>`.
        resource: String,
        /// What went wrong.
        message: String,
    },
}

/// Renders every resource; one that fails does not keep the others from being rendered.
pub fn render(input: &Input) -> Vec<Result<Rendered, RenderError>> {
    let deployments = input.deployments.iter().map(|resource| one(input, resource));
    deployments.collect()
}

fn one<K: ServingKind>(input: &Input, resource: &K) -> Result<Rendered, RenderError> {
    let mut resource = resource.clone();
    let meta = resource.meta_mut();
    meta.uid.get_or_insert_with(|| NO_UID.to_owned());
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let title = format!("{} {}/{}", K::KIND, text(&meta.namespace), text(&meta.name));

    let plan = resource
        .accept(input, None)
        .map_err(|rejection| RenderError::Rejected {
            resource: title.clone(),
            rejection,
        })?;
    let unbuildable = |message| RenderError::Unbuildable {
        resource: title.clone(),
        message,
    };
    let objects = desired(&plan, false)
        .map_err(|error| unbuildable(error.to_string()))?
        .iter()
        .map(|object| object.manifest().map_err(|error| unbuildable(error.to_string())))
        .collect::<Result<_, _>>()?;
    Ok(Rendered {
        objects,
        notes: notes::<K>(input, &plan),
        resource: title,
    })
}

fn notes<K: ServingKind>(input: &Input, plan: &ServingPlan) -> Vec<String> {
    let Some(gpu) = plan.gpu.as_ref().filter(|_| !input.nodes.is_empty()) else {
        return Vec::new();
    };
    let need = gpu_need(gpu, K::GPU_COUNT_FIELD);
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
