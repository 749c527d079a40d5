//! What exists. In: the API server's lists. Out: resources, all objects of their namespaces, Pods, nodes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::declared::Id;
use super::desk::{Desk, Refused};
use super::kinds::Kind;

/// Collections of everything that the operator or Kubernetes may make in a namespace for a resource.
const COLLECTIONS: [&str; 12] = [
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/controllerrevisions",
    "/api/v1/services",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/api/v1/persistentvolumeclaims",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
];

/// All of it, at about one time.
#[derive(Debug, Default)]
pub struct World {
    /// Resources of ours.
    pub resources: BTreeMap<Id, Value>,
    /// Resources of ours that have no name of a plan.
    pub unknown: Vec<String>,
    /// Every object of the namespaces but Pods, and what Kubernetes puts into each.
    pub objects: Vec<Value>,
    /// Pods.
    pub pods: Vec<Value>,
    /// Nodes.
    pub nodes: Vec<Value>,
}

impl World {
    /// Looks.
    pub async fn look(desk: &Desk) -> Result<Self, Refused> {
        let mut world = Self::default();
        for kind in Kind::ALL {
            for resource in desk.list(&kind.collection()).await? {
                match Id::of_child(text(&resource, "name")).filter(|id| id.kind == kind) {
                    Some(id) => drop(world.resources.insert(id, resource)),
                    None => world.unknown.push(title(&resource)),
                }
            }
        }
        for collection in COLLECTIONS {
            world
                .objects
                .extend(desk.list(collection).await?.into_iter().filter(is_of_chaos));
        }
        world.pods = desk
            .list("/api/v1/pods")
            .await?
            .into_iter()
            .filter(is_of_chaos)
            .collect();
        world.nodes = desk.list("/api/v1/nodes").await?;
        Ok(world)
    }

    /// All objects and Pods.
    pub fn everything(&self) -> impl Iterator<Item = &Value> {
        self.objects.iter().chain(&self.pods)
    }

    /// Pods of a resource that are neither going nor over.
    pub fn live_pods(&self, id: Id) -> impl Iterator<Item = &Value> {
        self.pods
            .iter()
            .filter(move |pod| Id::of_child(text(pod, "name")) == Some(id) && is_live(pod))
    }
}

fn is_of_chaos(object: &Value) -> bool {
    text(object, "namespace").starts_with("chaos-") && text(object, "name") != "kube-root-ca.crt"
}

/// A text of the metadata.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// `Kind namespace/name`.
pub fn title(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    format!("{kind} {}/{}", text(object, "namespace"), text(object, "name"))
}

/// A condition by type; null when there is none.
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == type_));
    found.unwrap_or(&Value::Null)
}

/// Whether a Pod is neither going nor over.
pub fn is_live(pod: &Value) -> bool {
    let over = matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    !over && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a Pod serves.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready")["status"] == "True"
}

/// Restarts of a Pod's containers.
pub fn restarts(pod: &Value) -> u64 {
    let statuses = pod["status"]["containerStatuses"].as_array();
    statuses
        .into_iter()
        .flatten()
        .filter_map(|status| status["restartCount"].as_u64())
        .sum()
}
