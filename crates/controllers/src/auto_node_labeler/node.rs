//! A Node as the cache keeps it: the facts for the diagnosis, and its labels with whose they are. Pure.

use std::{collections::HashMap, sync::Arc};

use diagnosis::facts::NodeFacts;
use k8s_openapi::api::core::v1::Node;
use reconcile::{RawObject, labels::label_claims};

use super::manager::{LabelManager, is_of_an_installation, is_prem_operator};

/// A node, reduced.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// What a diagnosis needs.
    pub facts: Arc<NodeFacts>,
    /// Uid given by the API server.
    pub uid: Box<str>,
    /// Its labels.
    pub labels: NodeLabels,
}

/// The labels of a node, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLabels(Box<[Label]>);

/// One label of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Key.
    pub key: Box<str>,
    /// Value.
    pub value: Box<str>,
    /// Whose it is.
    pub owner: Owner,
}

/// Who has set a label to its value; several may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// We.
    pub ours: bool,
    /// prem-operator, see [`is_prem_operator`].
    pub earlier: bool,
    /// Somebody else: of several the one with the smallest name, another installation of this operator last.
    pub other: Option<Arc<str>>,
}

impl Label {
    /// Whether it would go if we let it go.
    pub fn is_only_ours(&self) -> bool {
        self.owner.ours && self.owner.other.is_none()
    }

    /// Whether labelers alone have set it, ours or those of another installation: then it is no fact about the node. Two
    /// installations whose expressions looked at each other's labels could move each other to and fro for ever.
    pub fn is_set_by_labelers(&self) -> bool {
        match &self.owner.other {
            Some(other) => is_of_an_installation(other) && !self.owner.earlier,
            None => self.owner.ours,
        }
    }

    /// Whether somebody else has set it, or nobody knows who.
    pub fn is_of_others(&self) -> bool {
        self.owner.other.is_some() || !(self.owner.ours || self.owner.earlier)
    }
}

impl NodeLabels {
    /// Labels in any order.
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let mut labels: Vec<Label> = labels.into_iter().collect();
        labels.sort_by(|a, b| a.key.cmp(&b.key));
        Self(labels.into())
    }

    /// The label `key`.
    pub fn get(&self, key: &str) -> Option<&Label> {
        let place = self.0.binary_search_by(|label| (*label.key).cmp(key)).ok()?;
        self.0.get(place)
    }

    /// All labels, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }
}

impl NodeRecord {
    /// Reads a Node.
    ///
    /// # Errors
    /// It is none.
    pub fn read(raw: &RawObject, manager: &LabelManager) -> Result<Self, serde_json::Error> {
        let node: Node = raw.decode()?;
        let owners = owners(raw.managed_fields(), manager)?;
        let labels = node.metadata.labels.iter().flatten().map(|(key, value)| Label {
            key: key.as_str().into(),
            value: value.as_str().into(),
            owner: owners.get(key.as_str()).cloned().unwrap_or_default(),
        });
        Ok(Self {
            uid: raw.uid().into(),
            labels: NodeLabels::new(labels),
            facts: Arc::new(NodeFacts::from(&node)),
        })
    }
}

fn owners(managed_fields: &str, manager: &LabelManager) -> Result<HashMap<String, Owner>, serde_json::Error> {
    let mut owners: HashMap<String, Owner> = HashMap::new();
    for claims in label_claims(managed_fields)? {
        let claimant = claims.manager();
        let (ours, earlier) = (manager.is(claimant), is_prem_operator(claimant));
        let name: Arc<str> = claimant.name.into();
        for key in claims.keys() {
            let owner = owners.entry(key.to_owned()).or_default();
            owner.ours |= ours;
            owner.earlier |= earlier;
            if !ours && !earlier {
                let rank = |name: &Arc<str>| (is_of_an_installation(name), name.clone());
                let known = owner.other.take().into_iter();
                owner.other = known.chain([name.clone()]).min_by_key(rank);
            }
        }
    }
    Ok(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_with_whose_they_are() {
        let entry = |manager: &str, operation: &str, keys: &[&str]| {
            let fields: serde_json::Map<_, _> = keys
                .iter()
                .map(|key| (format!("f:{key}"), serde_json::json!({})))
                .collect();
            serde_json::json!({"manager": manager, "operation": operation,
                "fieldsV1": {"f:metadata": {"f:labels": fields}}})
        };
        let text = serde_json::json!({
            "metadata": {
                "name": "n", "uid": "1",
                "labels": {"arch": "amd64", "foo": "bar", "old": "1", "peer": "z", "shared": "x", "stray": "y"},
                "managedFields": [
                    entry("kubelet", "Update", &["arch"]),
                    entry("manager", "Update", &["old", "foo"]),
                    entry("kubectl-label", "Update", &["shared"]),
                    entry("helm", "Apply", &["shared"]),
                    entry("llm-operator-node-labels:a/b", "Apply", &["peer", "arch"]),
                    entry("llm-operator-node-labels:s/l", "Apply", &["foo", "shared"]),
                ],
            },
        });
        let raw = RawObject::from_text(text.to_string()).unwrap();
        let record = NodeRecord::read(&raw, &LabelManager::of_lease("s", "l")).unwrap();
        let told: Vec<(&str, bool, bool, bool)> = record
            .labels
            .iter()
            .map(|label| {
                (
                    &*label.key,
                    label.is_only_ours(),
                    label.owner.earlier,
                    label.is_of_others(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("arch", false, false, true),
                ("foo", true, true, false),
                ("old", false, true, false),
                ("peer", false, false, true),
                ("shared", false, false, true),
                ("stray", false, false, true),
            ]
        );
        let other = |key: &str| record.labels.get(key).unwrap().owner.other.as_deref();
        assert_eq!(other("arch"), Some("kubelet"), "an installation is told last");
        assert_eq!(other("shared"), Some("helm"), "always the same one of several");
        let by_labelers = record.labels.iter().filter(|label| label.is_set_by_labelers());
        let by_labelers: Vec<&str> = by_labelers.map(|label| &*label.key).collect();
        assert_eq!(by_labelers, ["foo", "peer"]);
        assert!(record.labels.get("none").is_none());
    }
}
