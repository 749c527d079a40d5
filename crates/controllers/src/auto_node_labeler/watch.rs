//! What is watched for labelers, and whom a change wakes.
//!
//! In: changes of Nodes and of labelers. Out: the keys to reconcile. A heartbeat of a node wakes nobody.

use std::sync::Arc;

use api::premlabs_io::v1alpha1::AutoNodeLabeler;
use diagnosis::facts::NodeFacts;
use k8s_openapi::api::core::v1::Node;
use reconcile::{CacheSpec, Change, ObjectKey, WatchCache, rights::Right};
use tokio::time::Duration;

use super::{labeler::Labeler, manager::LabelManager, node::NodeRecord};
use crate::{
    caches::pods,
    kinds::{AUTO_NODE_LABELER, NODE},
};

/// Labelers that are applied together cost the nodes one look. Above zero, so that the state of a watch that ends is
/// known before anybody acts on what it took along.
const LABELER_BURST: Duration = Duration::from_millis(100);

/// Who may not do this labels no nodes.
const MAY_LABEL: Right = Right::new("patch", "", "nodes");

/// All nodes; `facts_changed` tells whom a change of their facts wakes, `labelled` whether somebody reconciles them.
pub fn nodes(
    manager: LabelManager,
    labelled: bool,
    facts_changed: impl Fn(&Change<'_, NodeFacts>) -> Vec<ObjectKey> + Send + Sync + 'static,
) -> CacheSpec<NodeRecord> {
    CacheSpec::raw::<Node>(move |raw| NodeRecord::read(raw, &manager))
        .cluster_scoped()
        .optional()
        .coalesce(pods::BURST)
        .on_change(move |change| {
            let mut keys = facts_changed(&Change {
                namespace: change.namespace,
                name: change.name,
                old: change.old.map(|node| &*node.facts),
                new: change.new.map(|node| &*node.facts),
                error: change.error,
            });
            keys.extend(node_changed(change).filter(|_| labelled));
            keys
        })
}

/// All labelers of the watched namespaces. Where these are not all, the right to label nodes may be withheld.
pub fn labelers(nodes: Arc<WatchCache<NodeRecord>>, whole_cluster: bool) -> CacheSpec<Labeler> {
    let spec = CacheSpec::raw::<AutoNodeLabeler>(Labeler::read)
        .optional()
        .coalesce(LABELER_BURST)
        .on_change(move |change| labeler_changed(change, &nodes));
    if whole_cluster {
        spec
    } else {
        spec.needs(
            &[MAY_LABEL],
            "AutoNodeLabelers stay without effect and without a status",
        )
    }
}

/// Every labeler and every node: what a resync looks at.
pub fn roots(labelers: &WatchCache<Labeler>, nodes: &WatchCache<NodeRecord>) -> Vec<ObjectKey> {
    let labelers = labelers.names().into_iter();
    let nodes = nodes.names().into_iter();
    labelers
        .map(|(namespace, name)| ObjectKey::new(AUTO_NODE_LABELER, namespace, name))
        .chain(nodes.map(|(_, name)| ObjectKey::new(NODE, "", name)))
        .collect()
}

/// The node, when its labels or whose they are changed, or it comes or goes.
fn node_changed(change: &Change<'_, NodeRecord>) -> Option<ObjectKey> {
    let same = |(old, new): (&NodeRecord, &NodeRecord)| old.uid == new.uid && old.labels == new.labels;
    let unchanged = change.old.zip(change.new).is_some_and(same);
    (!unchanged).then(|| ObjectKey::new(NODE, "", change.name))
}

/// Itself; and every node, when what it asks for changed.
fn labeler_changed(change: &Change<'_, Labeler>, nodes: &WatchCache<NodeRecord>) -> Vec<ObjectKey> {
    let asks = |labeler: Option<&Labeler>| {
        let labeler = labeler.filter(|one| !one.is_going())?;
        let object = &labeler.object;
        Some((
            object.metadata.uid.clone(),
            object.spec.clone(),
            labeler.is_unreadable(),
        ))
    };
    let same_wish = asks(change.old) == asks(change.new) && change.error.is_none();
    let unchanged = change.old.zip(change.new).is_some_and(|(old, new)| {
        let (old, new) = (&old.object, &new.object);
        old.metadata.uid == new.metadata.uid
            && old.spec == new.spec
            && old.metadata.finalizers == new.metadata.finalizers
            && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
            && old.status == new.status
    });
    let mut keys = Vec::new();
    if !same_wish {
        let names = nodes.names().into_iter();
        keys.extend(names.map(|(_, name)| ObjectKey::new(NODE, "", name)));
    }
    if !(same_wish && unchanged) {
        keys.push(ObjectKey::new(AUTO_NODE_LABELER, change.namespace, change.name));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto_node_labeler::node::{Label, NodeLabels, Owner};

    fn change<'a, T>(old: Option<&'a T>, new: Option<&'a T>) -> Change<'a, T> {
        Change {
            namespace: "",
            name: "n",
            old,
            new,
            error: None,
        }
    }

    #[test]
    fn a_heartbeat_wakes_nobody_and_a_label_does() {
        let node = NodeRecord {
            facts: Arc::default(),
            uid: "1".into(),
            labels: NodeLabels::default(),
        };
        let not_ready = NodeRecord {
            facts: Arc::new(NodeFacts {
                disk_pressure: true,
                ..NodeFacts::default()
            }),
            ..node.clone()
        };
        assert!(node_changed(&change(Some(&node), Some(&not_ready))).is_none());
        let labelled = NodeRecord {
            labels: NodeLabels::new([Label {
                key: "a".into(),
                value: "b".into(),
                owner: Owner::default(),
            }]),
            ..node.clone()
        };
        for (old, new) in [
            (Some(&node), Some(&labelled)),
            (None, Some(&node)),
            (Some(&node), None),
        ] {
            assert_eq!(
                node_changed(&change(old, new)),
                Some(ObjectKey::new(NODE, "", "n"))
            );
        }
    }
}
