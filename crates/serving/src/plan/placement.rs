//! Where Pods may run.
//!
//! In: what a person asked for, what GPUs need, who shares a volume. Out: one [`Placement`] in which all of it holds.
//! It must not look at nodes.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinity,
        PodAffinityTerm, Toleration, TopologySpreadConstraint,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{Placement, weights::Sharing};
use crate::{gpu::GpuRequest, labels, request::ServingRequest};

/// Puts everything together.
pub fn placement(
    request: &ServingRequest,
    selector: &BTreeMap<String, String>,
    sharing: &Sharing,
) -> Placement {
    let pod = &request.pod;
    let mut affinity = pod.affinity.clone();
    let nodes = request
        .gpu
        .as_ref()
        .map(GpuRequest::node_requirements)
        .unwrap_or_default();
    if !nodes.is_empty() {
        require_nodes(affinity.get_or_insert_default(), &nodes);
    }
    if let Sharing::OneNode(claim) = sharing {
        require_one_node(affinity.get_or_insert_default(), claim);
    }
    Placement {
        node_selector: pod.node_selector.clone(),
        tolerations: tolerations(
            &pod.tolerations,
            request.gpu.as_ref().filter(|_| request.form.adds()),
        ),
        affinity,
        topology_spread: if request.form.adds() {
            pod.topology_spread.iter().map(|c| spread(c, selector)).collect()
        } else {
            pod.topology_spread.clone()
        },
    }
}

/// Terms are alternatives, so every one of them gets the requirements.
fn require_nodes(affinity: &mut Affinity, requirements: &[NodeSelectorRequirement]) {
    let node_affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    let required: &mut NodeSelector = node_affinity
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_default();
    if required.node_selector_terms.is_empty() {
        required.node_selector_terms.push(NodeSelectorTerm::default());
    }
    for term in &mut required.node_selector_terms {
        term.match_expressions
            .get_or_insert_default()
            .extend_from_slice(requirements);
    }
}

/// On the node where the others with this claim are; the first may choose.
fn require_one_node(affinity: &mut Affinity, claim: &str) {
    let labels = BTreeMap::from([(labels::CLAIM.to_owned(), claim.to_owned())]);
    let pods: &mut PodAffinity = affinity.pod_affinity.get_or_insert_default();
    pods.required_during_scheduling_ignored_during_execution
        .get_or_insert_default()
        .push(PodAffinityTerm {
            label_selector: Some(LabelSelector {
                match_labels: Some(labels),
                match_expressions: None,
            }),
            topology_key: "kubernetes.io/hostname".into(),
            ..PodAffinityTerm::default()
        });
}

/// GPU nodes often repel what needs no GPU, by a taint named as the resource.
fn tolerations(theirs: &[Toleration], gpu: Option<&GpuRequest>) -> Vec<Toleration> {
    let mut tolerations = theirs.to_vec();
    if let Some(gpu) = gpu {
        let ours = Toleration {
            key: Some(gpu.resource.clone()),
            operator: Some("Exists".into()),
            ..Toleration::default()
        };
        if !tolerations.contains(&ours) {
            tolerations.push(ours);
        }
    }
    tolerations
}

/// Without a selector it counts no Pod and does nothing.
fn spread(
    constraint: &TopologySpreadConstraint,
    selector: &BTreeMap<String, String>,
) -> TopologySpreadConstraint {
    let mut constraint = constraint.clone();
    constraint.label_selector.get_or_insert_with(|| LabelSelector {
        match_labels: Some(selector.clone()),
        match_expressions: None,
    });
    constraint
}
