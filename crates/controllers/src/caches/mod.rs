//! Everything that the controllers watch, and whom a change wakes.
//!
//! In: a set of watches. Out: one cache per resource, reduced to what somebody asks for. Lookups cost no request.

mod catalogue;
mod children;
mod generations;
mod gpus;
pub(crate) mod pods;
pub(crate) mod roots;
mod surroundings;
mod tokens;

use std::sync::Arc;

use api::{
    ai_example_com::v1::{self as ai, ModelDeployment},
    infra_example_com::v1::NvidiaGpuLlm,
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    nvidia_com::v1::DynamoGraphDeployment,
    opendatahub_io::components::v1alpha1::Llmd,
    premlabs_io::v1alpha1::{AIDeployment, AIModelMap},
};
use diagnosis::facts::{ClaimFacts, EventFacts, PodFacts, WorkloadFacts};
use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{Event, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use reconcile::{
    CacheSpec, Child, ObjectKey, WatchCache, Watches,
    cache::{ChildHead, ChildView, Namespaces},
    rights::Right,
};
use serde::de::DeserializeOwned;

pub(crate) use self::gpus::{gpu_nodes, gpus_of};
use self::{
    catalogue::CatalogueCache,
    children::Children,
    pods::Pods,
    roots::{Owners, ServingRoots},
    tokens::Tokens,
};
use crate::{
    auto_node_labeler::{labeler::Labeler, manager::LabelManager, node::NodeRecord, watch as labels},
    data_science_cluster::watch::Watched as DataScience,
    families::{Families, Family},
    kinds::{
        AI_DEPLOYMENT, AI_LLM_MODEL, AI_MODEL_MAP, DYNAMO_GRAPH_DEPLOYMENT, LLM_DEPLOYMENT, LLM_MODEL, LLMD,
        MODEL_DEPLOYMENT, NVIDIA_GPU_LLM,
    },
    scaler::Scaler,
    serving_kind::ServingRoot,
    triggers,
    workload::WorkloadKind,
};

const MAY_READ_NODES: Right = Right::new("list", "", "nodes");
const WITHOUT_NODES: &str = "which GPUs exist and who has them is not known: a Pod without a node is explained by the scheduler's \
                             words alone, models by name need a type of GPU, and scaling does not know what fits";
const MAY_READ_CLASSES: Right = Right::new("list", "storage.k8s.io", "storageclasses");
const WITHOUT_CLASSES: &str =
    "a claim that waits is explained by its Events alone, without the names of the classes that exist";

/// The caches. Cheap to share.
pub struct Caches {
    /// What is deployed of `LLMModel`s.
    pub deployments: Arc<WatchCache<LLMDeployment>>,
    /// Models.
    pub models: Arc<WatchCache<LLMModel>>,
    /// What is deployed of engines with models.
    pub ai_deployments: Arc<WatchCache<AIDeployment>>,
    /// Models in one Pod each.
    pub gpu_llms: Arc<WatchCache<NvidiaGpuLlm>>,
    /// Models by name.
    pub ai_models: Arc<WatchCache<ai::LLMModel>>,
    /// Models by name with a promise.
    pub model_deployments: Arc<WatchCache<ModelDeployment>>,
    /// The same in the words of NVIDIA Dynamo.
    pub dynamo_deployments: Arc<WatchCache<DynamoGraphDeployment>>,
    /// The cluster's own models.
    pub(crate) catalogue: CatalogueCache,
    /// Tokens of gated models.
    pub(crate) tokens: Tokens,
    /// The one that deploys llm-d.
    pub llmds: Arc<WatchCache<Llmd>>,
    /// Who asks for it, where the whole cluster is watched.
    pub data_science: Option<DataScience>,
    /// Maps of models.
    pub model_maps: Arc<WatchCache<AIModelMap>>,
    /// All claims, ours or not.
    pub claims: Arc<WatchCache<ClaimFacts>>,
    owners: Owners,
    serving: ServingRoots,
    children: Children,
    pods: Pods,
    scalers: Arc<WatchCache<Scaler>>,
    /// All nodes.
    pub nodes: Arc<WatchCache<NodeRecord>>,
    /// Who labels nodes.
    pub labelers: Arc<WatchCache<Labeler>>,
    storage_classes: Arc<WatchCache<()>>,
    pod_events: Arc<WatchCache<EventFacts>>,
    claim_events: Arc<WatchCache<EventFacts>>,
    set_events: Arc<WatchCache<EventFacts>>,
    families: Families,
}

impl Caches {
    /// Starts the watches of these families. `manager` is the one that sets labels on nodes.
    pub fn start(
        watches: &mut Watches,
        families: Families,
        manager: LabelManager,
        operator_namespace: &str,
    ) -> Self {
        let [llm, prem, infra, ai, llmd] = Family::ALL.map(|family| families.has(family));
        let deployments = watches.part(llm).start(roots::<LLMDeployment>());
        let ai_models = watches.part(ai).start(roots::<ai::LLMModel>());
        let model_deployments = watches.part(ai).start(roots::<ModelDeployment>());
        let dynamo = roots::<DynamoGraphDeployment>().requires(&[
            "spec.model.name",
            "spec.model.placement.tensor_parallel_size",
            "spec.sla.max_latency_ms",
            "status.sizing",
        ]);
        let dynamo_deployments = watches.part(ai).start(dynamo);
        let ai_deployments = CacheSpec::typed::<AIDeployment>(|object| object)
            .index(triggers::root_keys)
            .on_change(triggers::ai_deployment_changed);
        let ai_deployments = watches.part(prem).start(ai_deployments);
        let gpu_llms = watches.part(infra).start(roots::<NvidiaGpuLlm>());
        let serving = ServingRoots::default()
            .with(&deployments)
            .with(&ai_deployments)
            .with(&gpu_llms)
            .with(&ai_models)
            .with(&model_deployments)
            .with(&dynamo_deployments);
        let users = serving.clone();
        let models = CacheSpec::typed::<LLMModel>(|object| object)
            .index(triggers::claim_keys)
            .on_change(move |change| triggers::model_changed(change, &users));
        let models = watches.part(llm).start(models);
        let users = serving.clone();
        let model_maps = CacheSpec::typed::<AIModelMap>(|object| object)
            .on_change(move |change| triggers::model_map_changed(change, &users));
        let model_maps = watches.part(prem).start(model_maps);
        let owners = Owners::new(vec![
            (LLM_DEPLOYMENT, deployments.clone()),
            (AI_DEPLOYMENT, ai_deployments.clone()),
            (AI_MODEL_MAP, model_maps.clone()),
            (NVIDIA_GPU_LLM, gpu_llms.clone()),
            (AI_LLM_MODEL, ai_models.clone()),
            (MODEL_DEPLOYMENT, model_deployments.clone()),
            (DYNAMO_GRAPH_DEPLOYMENT, dynamo_deployments.clone()),
        ]);
        let whole = *watches.namespaces() == Namespaces::All;
        let data_science = (whole && llmd).then(|| DataScience::start(watches));
        let llmds = watches.part(whole && llmd).start(llmds());
        let mut named = watches.part(ai);
        let catalogue = CatalogueCache::start(&mut named, operator_namespace, serving.clone());
        let tokens = Tokens::start(&mut named, serving.clone());
        let mut common = watches.part(families.has_serving());
        let pods = Pods::start(&mut common, &serving);
        let waiting = serving.clone();
        let nodes = labels::nodes(manager, prem, move |change| {
            triggers::node_changed(change, &waiting)
        });
        let nodes = common.start(unless_whole(whole, nodes, MAY_READ_NODES, WITHOUT_NODES));
        let classes = storage_classes(serving.clone());
        let classes = unless_whole(whole, classes, MAY_READ_CLASSES, WITHOUT_CLASSES);
        let claim_events = warnings("PersistentVolumeClaim", pods.clone(), serving.clone());
        Self {
            children: Children::start(&mut common, &owners, &serving),
            claims: common.start(claims(models.clone(), serving.clone())),
            scalers: common.start(scalers(serving.clone())),
            storage_classes: common.start(classes),
            pod_events: common.start(warnings("Pod", pods.clone(), serving.clone())),
            claim_events: common.start(claim_events),
            set_events: common.start(workload_warnings("StatefulSet", serving.clone())),
            labelers: watches.part(prem).start(labels::labelers(nodes.clone(), whole)),
            nodes,
            data_science,
            catalogue,
            tokens,
            llmds,
            pods,
            owners,
            serving,
            families,
            deployments,
            models,
            ai_deployments,
            gpu_llms,
            ai_models,
            model_deployments,
            dynamo_deployments,
            model_maps,
        }
    }

    /// The caches of children, for apply and prune.
    pub fn children(&self) -> Vec<Arc<dyn ChildView>> {
        self.children.views()
    }

    /// The Deployment or StatefulSet `namespace`/`name`, if we made it.
    pub fn workload(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Child<WorkloadFacts>>> {
        self.children.workload(kind, namespace, name)
    }

    /// The last time that Pods of a StatefulSet could not be made.
    pub fn set_failure(&self, uid: &str) -> Option<Arc<EventFacts>> {
        let events = self.set_events.indexed(uid).into_iter();
        let failures = events.filter(|event| &*event.reason == "FailedCreate");
        failures.max_by_key(|event| event.last_seen)
    }

    /// A child that is none of [`Self::workload`]'s kind, if we made it.
    pub fn child(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<ChildHead>> {
        self.children.plain(kind, namespace, name)
    }

    /// The `NvidiaGpuLlm`s of this `llmName`.
    pub fn gpu_llms_named(&self, namespace: &str, llm_name: &str) -> Vec<Arc<NvidiaGpuLlm>> {
        self.gpu_llms.indexed(&triggers::llm_key(namespace, llm_name))
    }

    /// The Pods of the resource `namespace`/`name`; `owner` as in [`diagnosis::facts::Owner::kind`].
    pub fn pods_of(&self, owner: &str, namespace: &str, name: &str) -> Vec<Arc<PodFacts>> {
        self.pods.of(owner, namespace, name)
    }

    /// The autoscaler that sets the replicas of the workload `namespace`/`name`; a person's before ours.
    pub fn scaler_of(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Option<Arc<Scaler>> {
        let targeting = self.scalers.indexed(&triggers::scaled_key(kind, namespace, name));
        targeting
            .into_iter()
            .min_by_key(|scaler| (scaler.made_for.is_some(), scaler.name.clone()))
    }

    /// Whether an older resource of the same name is still to be looked at.
    pub fn has_unseen_elder<K: ServingRoot>(&self, resource: &K) -> bool {
        self.serving.has_unseen_elder(resource)
    }

    /// The resources that refer to the `AIModelMap` `namespace`/`name`.
    pub fn users_of_map(&self, namespace: &str, name: &str) -> Vec<ObjectKey> {
        let key = triggers::named("map", namespace, name);
        self.serving.filed_under(&key)
    }

    /// Every resource that somebody reconciles: what a resync looks at.
    pub fn roots(&self) -> Vec<ObjectKey> {
        let models = self.models.names().into_iter();
        let models = models.map(|(namespace, name)| ObjectKey::new(LLM_MODEL, namespace, name));
        let prem = self.families.has(Family::Prem);
        let labeled = prem.then(|| labels::roots(&self.labelers, &self.nodes));
        let llmds = self.llmds.names().into_iter();
        let llmds = llmds.map(|(namespace, name)| ObjectKey::new(LLMD, namespace, name));
        let data_science = self.data_science.iter().flat_map(DataScience::keys);
        self.owners
            .all()
            .into_iter()
            .chain(models)
            .chain(llmds)
            .chain(data_science)
            .chain(labeled.into_iter().flatten())
            .collect()
    }
}

/// Resources that serve, and by what they are found.
fn roots<K>() -> CacheSpec<K>
where
    K: ServingRoot + DeserializeOwned,
{
    CacheSpec::typed::<K>(|object| object)
        .index(triggers::root_keys)
        .on_change(triggers::serving_changed)
}

fn llmds() -> CacheSpec<Llmd> {
    CacheSpec::typed::<Llmd>(|object| object)
        .cluster_scoped()
        .optional()
        .on_change(|change| vec![ObjectKey::new(LLMD, "", change.name)])
}

/// What belongs to no namespace may be withheld from an operator that has only some.
fn unless_whole<T>(
    whole_cluster: bool,
    spec: CacheSpec<T>,
    right: Right,
    without: &'static str,
) -> CacheSpec<T> {
    if whole_cluster {
        spec
    } else {
        spec.needs(&[right], without)
    }
}

fn claims(models: Arc<WatchCache<LLMModel>>, roots: ServingRoots) -> CacheSpec<ClaimFacts> {
    CacheSpec::typed::<PersistentVolumeClaim>(|claim| ClaimFacts::from(&claim))
        .coalesce(pods::BURST)
        .on_change(move |change| triggers::claim_changed(change, &models, &roots))
}

fn scalers(roots: ServingRoots) -> CacheSpec<Scaler> {
    CacheSpec::typed::<HorizontalPodAutoscaler>(|autoscaler| Scaler::from(&autoscaler))
        .index(triggers::scaler_keys)
        .on_change(move |change| triggers::scaler_changed(change, &roots))
}

fn storage_classes(roots: ServingRoots) -> CacheSpec<()> {
    CacheSpec::raw::<StorageClass>(|_| Ok(()))
        .cluster_scoped()
        .optional()
        .on_change(move |change| triggers::class_changed(change, &roots))
}

/// Warning events about what makes Pods; a StatefulSet tells only by them why it cannot.
fn workload_warnings(kind: &str, roots: ServingRoots) -> CacheSpec<EventFacts> {
    about(kind).on_change(move |change| triggers::workload_event_changed(change, &roots))
}

/// Warning events about one kind of object; they tell what conditions do not: a probe's words, a volume that is missing.
fn warnings(kind: &str, pods: Pods, roots: ServingRoots) -> CacheSpec<EventFacts> {
    about(kind).on_change(move |change| triggers::event_changed(change, &pods, &roots))
}

fn about(kind: &str) -> CacheSpec<EventFacts> {
    CacheSpec::typed::<Event>(|event| EventFacts::from(&event))
        .fields(&format!("type=Warning,involvedObject.kind={kind}"))
        .optional()
        .coalesce(pods::BURST)
        .index(|event| vec![event.involved_uid.to_string()])
}
