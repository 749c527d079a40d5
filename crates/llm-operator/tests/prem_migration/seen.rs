//! What tests look at: the Pods of a Deployment and what they were made from, who owns which field, and Events.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::Pod,
    },
};
use kube::{Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    common::{PATIENCE, Space},
    old::OLD,
};

/// The label of prem-operator's Pods.
pub const OWNER: &str = "mlcontroller.premlabs.io/ai-deployment";
/// Present as long as a Deployment keeps the Pods that prem-operator made.
pub const ADOPTED: &str = "llm-operator.io/adopted";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Pods and what they were made from. Two of these are equal when nothing was restarted or replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The Pod template as stored, with all defaults.
    pub template: Value,
    /// How many there shall be.
    pub replicas: Option<i32>,
    /// The rollouts so far.
    pub revision: Option<String>,
    /// Name, `pod-template-hash` and replicas of each `ReplicaSet`.
    pub sets: Vec<(String, String, i32)>,
    /// Name, uid, `pod-template-hash` and restarts of all containers of each Pod.
    pub pods: Vec<(String, String, String, i32)>,
}

/// Looks at a Deployment of which all Pods run.
pub async fn running(space: &Space, name: &str) -> Running {
    let deployment = space
        .wait("all of its Pods are available", name, |one: &Deployment| {
            settled(one)
        })
        .await;
    let selector = deployment
        .spec
        .as_ref()
        .unwrap()
        .selector
        .match_labels
        .clone()
        .unwrap();
    let params = ListParams::default().labels(&format!("{OWNER}={}", selector[OWNER]));
    let hash = |labels: &BTreeMap<String, String>| labels["pod-template-hash"].clone();
    let sets = space.api::<ReplicaSet>().list(&params).await.unwrap();
    let sets = sets.items.iter().map(|set| {
        let replicas = set.spec.as_ref().unwrap().replicas.unwrap();
        (set.name_any(), hash(set.labels()), replicas)
    });
    let pods = space.api::<Pod>().list(&params).await.unwrap();
    // A Pod on its way out is in no count of a Deployment, and may be there for a while after the last rollout.
    let stay = pods
        .items
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut pods: Vec<_> = stay
        .map(|pod| {
            (
                pod.name_any(),
                pod.uid().unwrap(),
                hash(pod.labels()),
                restarts(pod),
            )
        })
        .collect();
    pods.sort();
    Running {
        template: template(&deployment),
        replicas: deployment.spec.as_ref().unwrap().replicas,
        revision: deployment.annotations().get(REVISION).cloned(),
        sets: sets.collect(),
        pods,
    }
}

/// The controller has seen the latest spec, and as many Pods as asked for are available, and no others stay.
pub fn settled(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().unwrap().replicas;
    let status = deployment.status.clone().unwrap_or_default();
    let none = |number: Option<i32>| number.unwrap_or(0);
    status.observed_generation == deployment.metadata.generation
        && deployment.annotations().contains_key(REVISION)
        && [
            status.replicas,
            status.updated_replicas,
            status.available_replicas,
        ]
        .iter()
        .all(|number| none(*number) == none(wanted))
}

fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.clone().unwrap_or_default();
    let engines = status.container_statuses.into_iter().flatten();
    let init = status.init_container_statuses.into_iter().flatten();
    engines.chain(init).map(|one| one.restart_count).sum()
}

/// The Pod template as stored.
pub fn template(deployment: &Deployment) -> Value {
    json!(deployment.spec.as_ref().unwrap().template)
}

/// The engine's container of a stored Pod template.
pub fn serving(template: &Value) -> &Value {
    let containers = template["spec"]["containers"].as_array().unwrap();
    containers.iter().find(|one| one["name"] == "serving").unwrap()
}

/// Whether it carries our label.
pub fn is_managed(object: &impl ResourceExt) -> bool {
    object
        .labels()
        .get(MANAGED_BY)
        .is_some_and(|value| value == "llm-operator")
}

/// Waits until an object is ours: our label, our apply, and nothing left to prem-operator's manager.
pub async fn wait_taken_over<K>(space: &Space, name: &str) -> K
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let object: K = space.wait("is managed", name, |one: &K| is_managed(one)).await;
    let managers: Vec<_> = object
        .managed_fields()
        .iter()
        .filter(|entry| entry.subresource.is_none())
        .map(|entry| (entry.manager.clone().unwrap(), entry.operation.clone().unwrap()))
        .collect();
    let ours = ("llm-operator".to_owned(), "Apply".to_owned());
    assert!(managers.contains(&ours), "{managers:?}");
    assert!(managers.iter().all(|(manager, _)| manager != OLD), "{managers:?}");
    object
}

/// Waits until the present spec is looked at and the status has this word.
pub async fn wait_word(space: &Space, name: &str, word: &str) -> AIDeploymentStatus {
    let found: AIDeployment = space
        .wait(word, name, |resource: &AIDeployment| {
            let status = resource.status.as_ref();
            let conditions = status.into_iter().flat_map(|status| &status.conditions);
            let mut applied = conditions.filter(|condition| condition.type_ == "Applied");
            let current = applied.all(|one| one.observed_generation == resource.metadata.generation);
            current && status.and_then(|status| status.status.as_deref()) == Some(word)
        })
        .await;
    found.status.unwrap()
}

/// Waits until Events with this reason name all of `words`.
pub async fn wait_told(space: &Space, name: &str, reason: &str, words: &[String]) {
    let what = format!("Event {reason} about {name} that names {words:?}");
    testkit::until(what, PATIENCE, async || {
        let events = space.events(name).await;
        let told = events.get(reason).into_iter().flatten();
        let text: Vec<_> = told.filter_map(|event| event.message.clone()).collect();
        let text = text.join(" ");
        if words.iter().all(|word| text.contains(word)) {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await
    .unwrap();
}

/// The JSON paths at which two values differ, each as deep as it goes.
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(String::new(), before, after, &mut found);
    found
}

fn collect(path: String, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(two)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
            for key in keys {
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                collect(format!("{path}/{key}"), &side(one), &side(two), found);
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            for (index, (one, two)) in one.iter().zip(two).enumerate() {
                collect(format!("{path}/{index}"), one, two, found);
            }
        }
        _ if before == after => {}
        _ => found.push(path),
    }
}
