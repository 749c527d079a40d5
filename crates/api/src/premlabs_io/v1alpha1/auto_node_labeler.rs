//! AutoNodeLabeler: labels for the nodes that one expression matches. It makes no objects; it labels Nodes.
//!
//! The fields are optional in Rust and required by the schema: what an earlier definition let in can still be read, and
//! is told in the status instead of ending the watch of all.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::shared::{State, schema};

/// Which nodes get which labels.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "premlabs.io",
    version = "v1alpha1",
    kind = "AutoNodeLabeler",
    plural = "autonodelabelers",
    category = "llm-operator",
    namespaced,
    status = "AutoNodeLabelerStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Labels for all nodes of the cluster that an expression matches. They go again when a node stops matching and when the labeler is deleted.",
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.matchExpression.key"),
    printcolumn(
        name = "Operator",
        type_ = "string",
        json_path = ".spec.matchExpression.operator"
    ),
    printcolumn(name = "Matched", type_ = "integer", json_path = ".status.matchedNodes"),
    printcolumn(name = "Labeled", type_ = "integer", json_path = ".status.labeledNodes"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct AutoNodeLabelerSpec {
    /// Which nodes get the labels, told by one of their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub match_expression: Option<MatchExpression>,

    /// The labels, 1 to 64. Keys below `kubernetes.io` and `k8s.io` are refused unless the operator runs with `--allow-protected-node-labels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, schema_with = "labels")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// A question about one label of a node, as in a Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.operator) || !(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)")
        .message("operators In and NotIn need at least one entry in values"),
    validation = Rule::new("!has(self.operator) || self.operator != 'DoesNotExist' || !has(self.values) || size(self.values) == 0")
        .message("operator DoesNotExist takes no values; for a label that must not have certain values use NotIn"),
)]
pub struct MatchExpression {
    /// The node label that is looked at, for example `nvidia.com/gpu.product`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, length(min = 1, max = 317))]
    #[x_kube(validation = Rule::new("self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')")
        .message("key must be a label key: a name of at most 63 letters, digits, '-', '_' and '.', after an optional DNS name and '/'"))]
    pub key: Option<String>,

    /// `Exists` (the node has the label), `In` (with one of the values), `NotIn` (without it, or with another value) or `DoesNotExist`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, schema_with = "operator")]
    pub operator: Option<String>,

    /// Values for `In` and `NotIn`; not looked at with `Exists`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

/// What is known about the labeler and its nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoNodeLabelerStatus {
    /// The generation of the spec that the last complete reconcile has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// One word: `Ready`, `Progressing`, `Blocked`, `Invalid` or `Terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<State>")]
    pub state: Option<State>,

    /// The reason that keeps it from being ready, or `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// Nodes that the expression matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_nodes: Option<i32>,

    /// Nodes of these that carry all the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labeled_nodes: Option<i32>,

    /// `Accepted` (the spec can be used), `Applied` (every node that matches carries the labels) and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

fn operator(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Exists", "In", "NotIn", "DoesNotExist"] })
}

/// A map of valid Kubernetes labels.
fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 64,
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        },
        "x-kubernetes-validations": [{
            "rule": "self.all(key, key.size() <= 317 && key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
            "message": "every key must be a label key: a name of at most 63 letters, digits, '-', '_' and '.', after an optional DNS name and '/'",
        }],
    })
}
