//! One deployment in trouble: made, asked what is wrong, healed.

use std::{collections::BTreeSet, time::Duration};

use api::{
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    shared::State,
};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use testkit::{
    Cluster, Faults, GpuModel, ImageEntry, ImageTable, NodeOptions, NodeSpec, SimulatedNodes, Target,
};

use crate::common::{self, Bed, PATIENCE, Space, condition};

/// The taint of nodes with GPUs, which only Pods that ask for GPUs tolerate.
const GPU_TAINT: &str = "nvidia.com/gpu";

/// One cluster for all: two nodes without GPUs; tests with GPUs bring nodes of a product of their own. Back-offs are a
/// tenth of the kubelet's, models load fifty times as fast; probes run in real time.
pub async fn bed() -> &'static Bed {
    common::bed_with(|| {
        let images = ImageTable::default();
        let mii = images.find("premai/deepspeed-mii").unwrap().clone();
        let images = images
            .with("example/private", ImageEntry::generic().private())
            .with("example/private-mii", mii.private())
            .with("example/late", ImageEntry::generic());
        Cluster::builder()
            .node(NodeSpec::cpu("cpu-0"))
            .node(NodeSpec::cpu("cpu-1"))
            .node_options(NodeOptions {
                images,
                speed: engine_speed(),
                backoff_scale: 0.1,
                ..NodeOptions::default()
            })
    })
    .await
}

fn engine_speed() -> testkit::node::Speed {
    testkit::node::Speed::loading(50.0)
}

/// The simulated nodes.
pub fn nodes(bed: &Bed) -> &SimulatedNodes {
    bed.cluster.nodes().unwrap()
}

/// Orders faults.
pub fn faults(bed: &Bed) -> &Faults {
    nodes(bed).faults()
}

/// A node of `count` GPUs of a product that only one test asks for, closed to Pods without GPUs.
pub fn gpu_node(name: &str, product: &str, memory_mib: u64, count: u32) -> NodeSpec {
    NodeSpec::gpus(name, GpuModel::new(product, memory_mib, "hopper", (9, 0)), count).taint(
        GPU_TAINT,
        "present",
        "NoSchedule",
    )
}

/// A model that any HTTP server serves.
pub fn generic() -> Value {
    json!({"modelName": "small", "image": "your-registry/gpt-small:v1"})
}

/// The same with GPUs of a product.
pub fn generic_on(product: &str, count: u32) -> Value {
    with(&generic(), json!({"gpu": {"product": product, "count": count}}))
}

/// `base` with the fields of `more` on top.
pub fn with(base: &Value, more: Value) -> Value {
    let mut merged = base.clone();
    for (key, value) in more.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}

/// A deployment and where it is.
pub struct Case<'a> {
    /// Its namespace.
    pub space: &'a Space,
    /// Its name, and its model's.
    pub name: &'a str,
}

impl Case<'_> {
    /// Makes a model and a deployment of it with one replica, unless `deployment` says otherwise.
    pub async fn deploy<'a>(space: &'a Space, name: &'a str, model: Value, deployment: Value) -> Case<'a> {
        let deployment = with(&json!({"modelRef": name, "replicas": 1}), deployment);
        create::<LLMModel>(space, name, json!({"spec": model})).await;
        create::<LLMDeployment>(space, name, json!({"spec": deployment})).await;
        Case { space, name }
    }

    /// The Pods of this deployment, for faults.
    pub fn target(&self) -> Target {
        Target::pods(&self.space.namespace, format!("{}-", self.name))
    }

    /// Waits until the status gives this reason and state, and a sentence with all these parts; checks everything that
    /// holds for every status of trouble. Returns the sentence.
    pub async fn told(&self, reason: &str, state: State, parts: &[&str]) -> String {
        let (space, name) = (self.space, self.name);
        let api = space.api::<LLMDeployment>();
        let what = format!("{name}: {state:?}/{reason} with {parts:?}");
        let found = testkit::until(&what, PATIENCE, async || {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            let status = object.status.clone().unwrap_or_default();
            let ready = condition(&status, "Ready").cloned();
            let message = ready.as_ref().map_or("", |ready| ready.message.as_str());
            let right = status.reason.as_deref() == Some(reason)
                && status.state == Some(state)
                && parts.iter().all(|part| message.contains(part));
            if right {
                Ok(object)
            } else {
                Err(format!("{:?}/{:?}: {message}", status.state, status.reason))
            }
        })
        .await
        .unwrap();
        let status = found.status.as_ref().unwrap();
        let ready = condition(status, "Ready").unwrap();
        println!("{name}: {state:?}/{reason}: {}", ready.message);
        assert_eq!(ready.status, "False", "{ready:?}");
        assert_eq!(ready.observed_generation, found.metadata.generation, "{ready:?}");
        let page = controllers::reason::conditions_page();
        for condition in &status.conditions {
            let documented = page.contains(&format!("`{}`", condition.reason));
            assert!(
                documented,
                "{} is not in docs/conditions.md: {condition:?}",
                condition.reason
            );
        }
        self.names_nobody_else(status).await;
        ready.message.clone()
    }

    /// As [`Case::told`] of a state that waits for somebody, and about a Pod: the sentence has the name of one.
    pub async fn blocked(&self, reason: &str, parts: &[&str]) -> String {
        let message = self.told(reason, State::Blocked, parts).await;
        let pods = self.pods().await;
        let named = pods.iter().any(|pod| message.contains(&pod.name_any()));
        assert!(named || pods.is_empty(), "no Pod is named: {message}");
        message
    }

    /// Waits until it is Ready; the spec was not touched since it was made.
    pub async fn healed(&self) {
        let status = self.space.wait_state(self.name, "Ready").await;
        let ready = condition(&status, "Ready").unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("True", "AllReplicasReady")
        );
        let object: LLMDeployment = self.space.api().get(self.name).await.unwrap();
        assert_eq!(object.metadata.generation, Some(1), "healed by itself");
    }

    /// Its Pods.
    pub async fn pods(&self) -> Vec<Pod> {
        let labels = format!("llm-operator.io/name={}", self.name);
        let list = self
            .space
            .api::<Pod>()
            .list(&ListParams::default().labels(&labels))
            .await;
        list.unwrap().items
    }

    /// The operator's Events about it with this reason.
    pub async fn events(&self, reason: &str) -> Vec<Event> {
        let mut events = self.space.events(self.name).await;
        let mut events = events.remove(reason).unwrap_or_default();
        events.retain(|event| event.involved_object.kind.as_deref() == Some("LLMDeployment"));
        events
    }

    /// The trouble was told by exactly one Warning.
    pub async fn told_once(&self, reason: &str) {
        let what = format!("an Event {reason} about {}", self.name);
        testkit::until(what, PATIENCE, async || {
            let events = self.events(reason).await;
            (!events.is_empty()).then_some(())
        })
        .await
        .unwrap();
        let events = self.events(reason).await;
        let notes: Vec<_> = events
            .iter()
            .map(|event| (&event.count, &event.message))
            .collect();
        assert_eq!(events.len(), 1, "{reason} is told once per change: {notes:#?}");
        assert_eq!(events[0].type_.as_deref(), Some("Warning"));
        assert_eq!(events[0].count, Some(1));
    }

    /// The status names no deployment and no Pod of another namespace, nor that namespace.
    async fn names_nobody_else(&self, status: &impl Serialize) {
        let text = serde_json::to_string(status).unwrap();
        let words: BTreeSet<&str> = text
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || "-.".contains(letter)))
            .map(|word| word.trim_matches('.'))
            .collect();
        let here = Some(self.space.namespace.as_str());
        let client = &self.space.client;
        let pods = Api::<Pod>::all(client.clone())
            .list(&ListParams::default())
            .await
            .unwrap();
        let deployments = Api::<LLMDeployment>::all(client.clone())
            .list(&ListParams::default())
            .await
            .unwrap();
        let objects = pods
            .items
            .iter()
            .map(Resource::meta)
            .chain(deployments.items.iter().map(Resource::meta));
        for meta in objects.filter(|meta| meta.namespace.as_deref() != here) {
            for name in [&meta.name, &meta.namespace].into_iter().flatten() {
                assert!(
                    !words.contains(name.as_str()),
                    "{name} of another namespace is in the status: {text}"
                );
            }
        }
    }

    async fn resource_version(&self) -> Option<String> {
        let object: LLMDeployment = self.space.api().get(self.name).await.unwrap();
        object.metadata.resource_version
    }
}

/// For `time`, none of these statuses is written. In a cluster that other tests change at the same time (nodes come and
/// go, which changes the scheduler's words) a second and a third look are taken; a status that churns fails all.
pub async fn at_rest(cases: &[&Case<'_>], time: Duration) {
    let mut moved = Vec::new();
    for _ in 0..3 {
        let mut before = Vec::new();
        for case in cases {
            before.push(case.resource_version().await);
        }
        tokio::time::sleep(time).await;
        moved.clear();
        for (case, before) in cases.iter().zip(before) {
            if case.resource_version().await != before {
                moved.push(case.name);
            }
        }
        if moved.is_empty() {
            return;
        }
    }
    panic!("written again and again while nothing happens: {moved:?}");
}

/// Creates a namespaced object.
pub async fn create<K>(space: &Space, name: &str, body: Value) -> K
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let object = object::<K>(name, body);
    space
        .api::<K>()
        .create(&PostParams::default(), &object)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Creates a cluster-scoped object.
pub async fn create_global<K>(space: &Space, name: &str, body: Value) -> K
where
    K: Resource<Scope = kube::core::ClusterResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let object = object::<K>(name, body);
    Api::<K>::all(space.client.clone())
        .create(&PostParams::default(), &object)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn object<K: Resource<DynamicType = ()> + DeserializeOwned>(name: &str, body: Value) -> K {
    let full = with(
        &body,
        json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name},
        }),
    );
    serde_json::from_value(full).unwrap()
}

/// Merges a patch into a Node.
pub async fn patch_node(space: &Space, name: &str, patch: Value) {
    Api::<Node>::all(space.client.clone())
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}
