//! A namespace with an operator of its own, and nodes that belong to one test.
//!
//! Labels and nodes carry the namespace's name, so that tests of one cluster do not meet.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{AutoNodeLabeler, AutoNodeLabelerStatus};
use k8s_openapi::{api::core::v1::Node, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use testkit::{
    Cluster,
    plane::audit::{Filter, Mark, Request},
};

use crate::common::{PATIENCE, Space, stand::Stand, stand::cluster};

/// What one test stands on.
pub struct Scene {
    /// Namespace and operator.
    pub stand: Stand,
}

impl Scene {
    /// With an operator of the namespace.
    pub async fn new(prefix: &str) -> Self {
        Self::with(prefix, &[]).await
    }

    /// Whose operator has these flags too.
    pub async fn with(prefix: &str, args: &[&str]) -> Self {
        Self {
            stand: Stand::with(prefix, args).await,
        }
    }

    /// The namespace.
    pub fn space(&self) -> &Space {
        &self.stand.space
    }

    /// A label key of this test.
    pub fn key(&self, name: &str) -> String {
        format!("{}.example.com/{name}", self.stand.space.namespace)
    }

    /// A node of this test.
    pub fn node_name(&self, name: &str) -> String {
        format!("{}-{name}", self.stand.space.namespace)
    }

    /// Makes a node with labels of this test.
    pub async fn node(&self, name: &str, labels: &[(&str, &str)]) {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(key, value)| (self.key(key), (*value).to_owned()))
            .collect();
        make_node(&self.stand.space.client, &self.node_name(name), &labels).await;
    }

    /// Applies a labeler of this test.
    pub async fn labeler(&self, name: &str, (key, operator, values): Match<'_>, labels: &[(&str, &str)]) {
        let labels: BTreeMap<String, &str> = labels
            .iter()
            .map(|(key, value)| (self.key(key), *value))
            .collect();
        let yaml = labeler(name, &self.key(key), operator, values, &labels);
        self.stand.space.apply(&yaml).await;
    }

    /// Labels a node as a person would.
    pub async fn label(&self, node: &str, label: &str) {
        let label = format!("{}.example.com/{label}", self.stand.space.namespace);
        let node = self.node_name(node);
        let args = ["label", "node", &node, &label, "--overwrite"];
        let (worked, text) = self.stand.space.kubectl(&args).await;
        assert!(worked, "{text}");
    }

    /// Waits until the node's labels of this test are exactly these.
    pub async fn wait_labels(&self, name: &str, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, String> = expected
            .iter()
            .map(|(key, value)| (self.key(key), (*value).to_owned()))
            .collect();
        wait_labels(
            &self.stand.space.client,
            &self.node_name(name),
            &self.stand.space.namespace,
            &expected,
        )
        .await;
    }

    /// Waits for a labeler's reason, of the current generation.
    pub async fn wait(&self, name: &str, reason: &str) -> AutoNodeLabelerStatus {
        wait_reason(&self.stand.space, name, reason).await
    }

    /// Writes to nodes that this test's operator has sent since `mark`.
    pub async fn node_writes(&self, mark: &Mark) -> Vec<Request> {
        let manager = format!(
            "fieldManager=llm-operator-node-labels:llm-system/{}",
            self.stand.space.namespace
        );
        let mut requests = requests(cluster().await, mark);
        requests.retain(|request| request.resource == "nodes" && request.uri.ends_with(&manager));
        requests
    }

    /// The same once there are `least`: a node shows a write a moment before it stands in the log.
    pub async fn wait_node_writes(&self, mark: &Mark, least: usize) -> Vec<Request> {
        testkit::until(format!("{least} writes in the log"), PATIENCE, async || {
            let writes = self.node_writes(mark).await;
            if writes.len() >= least {
                Ok(writes)
            } else {
                Err(format!("{writes:?}"))
            }
        })
        .await
        .unwrap()
    }

    /// Now, in the audit log.
    pub async fn mark(&self) -> Mark {
        cluster().await.audit_log().mark()
    }
}

/// Key, operator and values of an expression.
pub type Match<'a> = (&'a str, &'a str, &'a [&'a str]);

/// The operator's writes since `mark`.
pub fn requests(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    let filter = Filter::user("system:serviceaccount:llm-system:llm-operator");
    let mut requests = cluster.audit_log().requests_since(mark, &filter).unwrap();
    requests.retain(Request::is_write);
    requests
}

/// YAML of a labeler.
pub fn labeler(
    name: &str,
    key: &str,
    operator: &str,
    values: &[&str],
    labels: &BTreeMap<String, &str>,
) -> String {
    let mut expression = json!({"key": key, "operator": operator});
    if !values.is_empty() {
        expression["values"] = json!(values);
    }
    json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AutoNodeLabeler", "metadata": {"name": name},
        "spec": {"matchExpression": expression, "labels": labels},
    })
    .to_string()
}

/// Makes a Node object without a machine.
pub async fn make_node(client: &Client, name: &str, labels: &BTreeMap<String, String>) {
    let node = Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        ..Node::default()
    };
    let params = PostParams {
        field_manager: Some("kubelet".to_owned()),
        ..PostParams::default()
    };
    Api::<Node>::all(client.clone())
        .create(&params, &node)
        .await
        .unwrap();
}

/// Deletes a Node.
pub async fn delete_node(client: &Client, name: &str) {
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.delete(name, &DeleteParams::default()).await.unwrap();
}

/// A node's labels whose keys start with `prefix`.
pub async fn labels_of(client: &Client, name: &str, prefix: &str) -> BTreeMap<String, String> {
    let node = Api::<Node>::all(client.clone()).get(name).await.unwrap();
    let mut labels = node.metadata.labels.unwrap_or_default();
    labels.retain(|key, _| key.starts_with(prefix));
    labels
}

/// Waits until the node's labels whose keys start with `prefix` are exactly these.
pub async fn wait_labels(client: &Client, name: &str, prefix: &str, expected: &BTreeMap<String, String>) {
    testkit::until(format!("labels of {name}: {expected:?}"), PATIENCE, async || {
        let labels = labels_of(client, name, prefix).await;
        if labels == *expected {
            Ok(())
        } else {
            Err(format!("{labels:?}"))
        }
    })
    .await
    .unwrap();
}

/// Sets a label by an update of the field manager `manager`.
pub async fn update_label(client: &Client, node: &str, key: &str, value: &str, manager: &str) {
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let patch = json!({"metadata": {"labels": {key: value}}});
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.patch(node, &params, &Patch::Merge(patch)).await.unwrap();
}

/// Waits for a labeler's reason, of the current generation.
pub async fn wait_reason(space: &Space, name: &str, reason: &str) -> AutoNodeLabelerStatus {
    wait_status(space, name, reason, |status| {
        status.reason.as_deref() == Some(reason)
    })
    .await
}

/// Waits for a labeler's status, of the current generation.
pub async fn wait_status(
    space: &Space,
    name: &str,
    what: &str,
    wanted: impl Fn(&AutoNodeLabelerStatus) -> bool,
) -> AutoNodeLabelerStatus {
    let found: AutoNodeLabeler = space
        .wait(what, name, |object: &AutoNodeLabeler| {
            object.status.as_ref().is_some_and(|status| {
                let ready = condition(status, "Ready");
                ready.is_some_and(|ready| ready.observed_generation == object.metadata.generation)
                    && wanted(status)
            })
        })
        .await;
    found.status.unwrap()
}

/// A condition by type.
pub fn condition<'a>(status: &'a AutoNodeLabelerStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// Status and reason of a condition.
pub fn told<'a>(status: &'a AutoNodeLabelerStatus, type_: &str) -> (&'a str, &'a str) {
    let found = condition(status, type_).unwrap_or_else(|| panic!("no {type_}: {status:?}"));
    (&found.status, &found.reason)
}

/// The sentence of a condition.
pub fn sentence<'a>(status: &'a AutoNodeLabelerStatus, type_: &str) -> &'a str {
    &condition(status, type_)
        .unwrap_or_else(|| panic!("no {type_}: {status:?}"))
        .message
}
