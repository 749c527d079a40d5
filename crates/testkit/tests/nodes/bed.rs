//! The cluster that all tests of this program share, a namespace for each, and waiting for Pods and Events.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testkit::{Cluster, ImageEntry, ImageTable, NodeOptions, NodeSpec, until};

/// Kubelet's times fifty times faster, probes ten times; everything else as it is.
pub fn build() -> testkit::ClusterBuilder {
    let options = NodeOptions {
        images: ImageTable::default().with("private/model", ImageEntry::generic().private()),
        speed: engine_sim::Speed::INSTANT,
        backoff_scale: 0.02,
        probe_scale: 0.1,
        ..NodeOptions::default()
    };
    Cluster::builder()
        .node(NodeSpec::h100("gpu-1", 8))
        .node(NodeSpec::h100("gpu-2", 2))
        .node(NodeSpec::h100("gpu-scarce", 2).taint("scarce", "true", "NoSchedule"))
        .node(NodeSpec::cpu("cpu-1"))
        .node_options(options)
        .audit()
}

pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Bed {
    pub cluster: &'static Cluster,
    pub client: Client,
    pub namespace: String,
}

impl Bed {
    pub async fn new(namespace: &str) -> Self {
        let cluster = testkit::shared(build).await.unwrap();
        let client = cluster.admin_client().await.unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let bed = Self {
            cluster,
            client,
            namespace: namespace.to_owned(),
        };
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = bed.api();
        until("the service account", LIMIT, async || {
            accounts.get("default").await.map(drop)
        })
        .await
        .unwrap();
        bed
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// A Pod with one container named `engine`, `extra` laid over it.
    pub async fn pod(&self, name: &str, container: Value) -> Pod {
        self.pod_with(name, container, json!({})).await
    }

    pub async fn pod_with(&self, name: &str, container: Value, spec: Value) -> Pod {
        let mut engine = json!({ "name": "engine", "image": "your-registry/gpt-small:v1" });
        merge(&mut engine, container);
        let mut whole = json!({ "containers": [engine], "automountServiceAccountToken": false });
        merge(&mut whole, spec);
        self.create(json!({ "metadata": { "name": name }, "spec": whole }))
            .await
    }

    /// Waits until the Pod satisfies `judge`.
    pub async fn until_pod(&self, name: &str, what: &str, judge: impl Fn(&Pod) -> bool) -> Pod {
        let pods: Api<Pod> = self.api();
        until(format!("{name}: {what}"), LIMIT, async || {
            let pod = pods.get(name).await.map_err(|error| error.to_string())?;
            if judge(&pod) {
                Ok(pod)
            } else {
                Err(json!(pod.status).to_string())
            }
        })
        .await
        .unwrap()
    }

    pub async fn until_event(&self, reason: &str, text: &str) -> Event {
        let events: Api<Event> = self.api();
        until(format!("event {reason}: {text}"), LIMIT, async || {
            let all = events
                .list(&ListParams::default())
                .await
                .map_err(|error| error.to_string())?;
            let seen: Vec<String> = all
                .iter()
                .map(|e| format!("{:?} {:?}", e.reason.as_deref(), e.message.as_deref()))
                .collect();
            all.items
                .into_iter()
                .find(|e| {
                    e.reason.as_deref() == Some(reason) && e.message.as_deref().unwrap_or("").contains(text)
                })
                .ok_or_else(|| seen.join("\n"))
        })
        .await
        .unwrap()
    }
}

pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

pub fn status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

pub fn waiting<'a>(pod: &'a Pod, reason: &str) -> Option<&'a str> {
    let waiting = status(pod)?.state.as_ref()?.waiting.as_ref()?;
    (waiting.reason.as_deref() == Some(reason)).then(|| waiting.message.as_deref().unwrap_or(""))
}

pub fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| c.type_ == kind)
        .map(|c| c.status.as_str())
}

pub fn ready(pod: &Pod) -> bool {
    condition(pod, "Ready") == Some("True")
}

pub fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|s| s.phase.as_deref())
        .unwrap_or_default()
}
