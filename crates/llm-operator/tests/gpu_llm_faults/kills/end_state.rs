//! What is in a namespace when everything is done, without what differs from run to run.

use std::collections::{BTreeMap, BTreeSet};

use api::infra_example_com::v1::NvidiaGpuLlm;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
        networking::v1::NetworkPolicy,
    },
};
use kube::{Resource, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::common::Space;

/// Fields that differ from run to run, wherever they stand.
const DIFFERS: [&str; 34] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "llm-operator.io/applied-hash",
    "kubectl.kubernetes.io/last-applied-configuration",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "lastTransitionTime",
    "lastProbeTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "containerID",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "nodeName",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "volumeName",
    "durationSeconds",
    "tokensPerSecond",
    "deletionTimestamp",
    "allocatedResourcesStatus",
    "resourceHealth",
    "user",
    // A simulated Pod's port may still be in use by its init container's server for a moment.
    "lastState",
    "restartCount",
];

/// Objects by kind and name.
pub struct EndState {
    objects: BTreeMap<String, Value>,
}

impl EndState {
    /// What is there now.
    pub async fn of(space: &Space) -> Self {
        let mut objects = BTreeMap::new();
        collect::<NvidiaGpuLlm>(space, &mut objects).await;
        collect::<Pod>(space, &mut objects).await;
        collect::<Service>(space, &mut objects).await;
        collect::<PersistentVolumeClaim>(space, &mut objects).await;
        collect::<NetworkPolicy>(space, &mut objects).await;
        collect::<ConfigMap>(space, &mut objects).await;
        objects.remove("ConfigMap kube-root-ca.crt");
        Self { objects }
    }

    /// Whether it is the same as `expected`; a prompt may be `Interrupted`, which is all that may differ.
    pub fn compare(&self, expected: &Self) -> Result<(), String> {
        let interrupted = self.interrupted();
        let (found, wanted) = (self.without(&interrupted), expected.without(&interrupted));
        if found == wanted {
            return Ok(());
        }
        let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
        let differing = names
            .into_iter()
            .filter(|name| found.get(*name) != wanted.get(*name));
        let words = differing.map(|name| {
            let (found, wanted) = (found.get(name), wanted.get(name));
            let (found, wanted) = (found.unwrap_or(&Value::Null), wanted.unwrap_or(&Value::Null));
            format!("{name}:{}", difference("", found, wanted))
        });
        Err(words.collect::<Vec<_>>().join("\n"))
    }

    /// Whether a status has the answer of a model to a prompt.
    pub fn tells_answer_of(&self, model: &str, prompt: &str) -> bool {
        self.resources().any(|one| {
            one["status"]["modelLoaded"] == model
                && prompts(one).any(|told| told["prompt"] == prompt && told["state"] == "Answered")
        })
    }

    fn resources(&self) -> impl Iterator<Item = &Value> {
        let of_kind = |name: &str| name.starts_with("NvidiaGpuLlm ");
        self.objects
            .iter()
            .filter(move |(name, _)| of_kind(name))
            .map(|(_, object)| object)
    }

    /// Indexes of prompts.
    fn interrupted(&self) -> BTreeSet<i64> {
        self.resources()
            .flat_map(prompts)
            .filter(|prompt| prompt["state"] == "Interrupted")
            .filter_map(|prompt| prompt["index"].as_i64())
            .collect()
    }

    /// Without what is said about these prompts.
    fn without(&self, indexes: &BTreeSet<i64>) -> BTreeMap<String, Value> {
        let mut objects = self.objects.clone();
        if indexes.is_empty() {
            return objects;
        }
        for object in objects.values_mut() {
            if let Some(prompts) = object["status"]["prompts"].as_array_mut() {
                prompts.retain(|prompt| {
                    prompt["index"]
                        .as_i64()
                        .is_some_and(|index| !indexes.contains(&index))
                });
            }
            if let Some(conditions) = object["status"]["conditions"].as_array_mut() {
                conditions.retain(|condition| condition["type"] != "PromptsAnswered");
            }
            if let Some(data) = object["data"].as_object_mut() {
                for index in indexes {
                    data.remove(&format!("prompt-{index}.txt"));
                    data.remove(&format!("prompt-{index}.json"));
                }
            }
        }
        objects.retain(|name, object| {
            !name.starts_with("ConfigMap ") || object["data"].as_object().is_some_and(|data| !data.is_empty())
        });
        objects
    }
}

fn prompts(resource: &Value) -> impl Iterator<Item = &Value> {
    resource["status"]["prompts"].as_array().into_iter().flatten()
}

async fn collect<K>(space: &Space, objects: &mut BTreeMap<String, Value>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    for object in space.api::<K>().list(&ListParams::default()).await.unwrap().items {
        let name = format!(
            "{} {}",
            K::kind(&()),
            object.meta().name.as_deref().unwrap_or_default()
        );
        let text = serde_json::to_string(&object).unwrap();
        let mut tree: Value = serde_json::from_str(&text.replace(&space.namespace, "here")).unwrap();
        normalise(&mut tree);
        objects.insert(name, tree);
    }
}

fn normalise(tree: &mut Value) {
    match tree {
        Value::Object(fields) => {
            fields.retain(|name, _| !DIFFERS.contains(&name.as_str()));
            for (name, value) in fields.iter_mut() {
                // The record beside an answer is JSON with measured times in it.
                let record = name.strip_prefix("prompt-");
                if record.is_some_and(|rest| rest.strip_suffix(".json").is_some()) {
                    let text = value.as_str().unwrap_or_default();
                    *value = serde_json::from_str(text).unwrap_or(json!("unreadable"));
                }
                normalise(value);
            }
        }
        Value::Array(entries) => {
            entries.iter_mut().for_each(normalise);
            if entries.iter().all(|entry| entry.get("type").is_some()) {
                entries.sort_by_key(|entry| entry["type"].to_string());
            }
        }
        _ => {}
    }
}

/// The first place where two trees differ, in words.
fn difference(path: &str, found: &Value, wanted: &Value) -> String {
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let differing = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
            differing
                .map(|name| difference(&format!("{path}.{name}"), &found[name], &wanted[name]))
                .collect::<Vec<_>>()
                .join("; ")
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let differing = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
            differing
                .map(|(index, (a, b))| difference(&format!("{path}[{index}]"), a, b))
                .collect::<Vec<_>>()
                .join("; ")
        }
        _ => format!(" {path} is {found}, undisturbed {wanted}"),
    }
}
