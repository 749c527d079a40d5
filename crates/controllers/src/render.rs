//! The pure middle of the operator, offline: resources in, the objects that `run` would apply out.
//!
//! In: parsed documents. Out: the same bytes as the apply step sends, or what is wrong with which resource. No client.

use std::{collections::BTreeMap, sync::Arc};

use api::{
    ai_example_com::v1::{self as ai, ModelDeployment},
    infra_example_com::v1::NvidiaGpuLlm,
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    nvidia_com::v1::DynamoGraphDeployment,
    premlabs_io::v1alpha1::{AIDeployment, AIModelMap},
};
use diagnosis::facts::{ClaimFacts, NodeFacts};
use kube::ResourceExt;
use reconcile::{ApplyError, DesiredObject};
use serving::{catalogue::Catalogue, field_error::FieldError, plan::ServingPlan, sizing::NodeGpus};

use crate::{
    ai_model_map::{plan::config_map, status::Files},
    caches::gpus_of,
    catalogued::token::Token,
    kinds::AI_MODEL_MAP,
    lookup::{Absent, Lookup},
    serving_kind::{
        Planned,
        desired::{Present, desired},
        observe::gpu_need,
        rejection::Rejection,
    },
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
    /// Deployments of models in the order in which they were given.
    pub deployments: Vec<LLMDeployment>,
    /// Deployments of engines in the order in which they were given.
    pub ai_deployments: Vec<AIDeployment>,
    /// Models in one Pod each that are to be installed, in the order in which they were given.
    pub gpu_llms: Vec<NvidiaGpuLlm>,
    /// Models by name, in the order in which they were given.
    pub ai_models: Vec<ai::LLMModel>,
    /// Models by name with a promise, in the order in which they were given.
    pub model_deployments: Vec<ModelDeployment>,
    /// The same in the words of NVIDIA Dynamo.
    pub dynamo_deployments: Vec<DynamoGraphDeployment>,
    /// The cluster's own models, as in the ConfigMap `llm-operator-models`.
    pub catalogue: Option<Arc<Catalogue>>,
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

    /// Rendered beside the map's own `ConfigMap`.
    fn map_files(&self, map: &AIModelMap) -> Files {
        match config_map(map) {
            Ok(_) => Files::InConfigMap,
            Err(_) => Files::Nowhere,
        }
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<ClaimFacts>> {
        given(&self.claims, namespace, name)
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        let builtin = || Arc::new(Catalogue::builtin().clone());
        self.catalogue.clone().unwrap_or_else(builtin)
    }

    fn serves(&self, _owner: &str, _namespace: &str, _name: &str) -> bool {
        false
    }

    /// Secrets are nobody's to look at offline.
    fn token(&self, _namespace: &str) -> Token {
        Token::Unknown
    }

    fn gpu_nodes(&self) -> Option<Vec<NodeGpus>> {
        (!self.nodes.is_empty()).then(|| self.nodes.iter().map(|node| gpus_of(node, 0)).collect())
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

/// Renders every resource; one that fails does not keep the others from being rendered. Maps come before who uses them.
pub fn render(input: &Input) -> Vec<Result<Rendered, RenderError>> {
    let maps = input.model_maps.values().map(|map| files(map));
    let deployments = input.deployments.iter().map(|resource| one(input, resource));
    let ai_deployments = input.ai_deployments.iter().map(|resource| one(input, resource));
    let gpu_llms = input.gpu_llms.iter().map(|resource| one(input, resource));
    let ai_models = input.ai_models.iter().map(|resource| one(input, resource));
    let model_deployments = input
        .model_deployments
        .iter()
        .map(|resource| one(input, resource));
    let dynamo_deployments = input
        .dynamo_deployments
        .iter()
        .map(|resource| one(input, resource));
    maps.chain(deployments)
        .chain(ai_deployments)
        .chain(gpu_llms)
        .chain(ai_models)
        .chain(model_deployments)
        .chain(dynamo_deployments)
        .collect()
}

fn one<K: Planned>(input: &Input, resource: &K) -> Result<Rendered, RenderError> {
    let resource = stored(resource);
    let title = title(K::KIND, &resource);
    match resource.accept(input, None) {
        Ok(plan) => Ok(Rendered {
            objects: manifests(&title, desired(&plan, &Present::default()))?,
            notes: notes::<K>(input, &plan),
            resource: title,
        }),
        Err(rejection) => Err(RenderError::Rejected {
            resource: title,
            rejection,
        }),
    }
}

/// The configuration files of a map, if it has any.
fn files(map: &AIModelMap) -> Result<Rendered, RenderError> {
    let map = stored(map);
    let title = title(AI_MODEL_MAP, &map);
    match config_map(&map) {
        Ok(wanted) => Ok(Rendered {
            objects: manifests(
                &title,
                wanted
                    .into_iter()
                    .map(|wanted| Ok(DesiredObject::new(wanted)?))
                    .collect(),
            )?,
            notes: Vec::new(),
            resource: title,
        }),
        Err(errors) => {
            let owner = format!("{AI_MODEL_MAP} {}", map.name_any());
            let rejection = Rejection::invalid(errors, |_: &FieldError| owner.clone());
            Err(RenderError::Rejected {
                resource: title,
                rejection,
            })
        }
    }
}

/// The resource as if it had been stored.
fn stored<K: ResourceExt + Clone>(resource: &K) -> K {
    let mut resource = resource.clone();
    let uid = &mut resource.meta_mut().uid;
    uid.get_or_insert_with(|| NO_UID.to_owned());
    resource
}

fn title<K: ResourceExt>(kind: &str, resource: &K) -> String {
    let namespace = resource.namespace().unwrap_or_default();
    format!("{kind} {namespace}/{}", resource.name_any())
}

fn manifests(
    title: &str,
    objects: Result<Vec<DesiredObject>, ApplyError>,
) -> Result<Vec<serde_json::Value>, RenderError> {
    let unbuildable = |message| RenderError::Unbuildable {
        resource: title.to_owned(),
        message,
    };
    let objects = objects.map_err(|error| unbuildable(error.to_string()))?;
    objects
        .iter()
        .map(|object| object.manifest().map_err(|error| unbuildable(error.to_string())))
        .collect()
}

fn notes<K: Planned>(input: &Input, plan: &ServingPlan) -> Vec<String> {
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
