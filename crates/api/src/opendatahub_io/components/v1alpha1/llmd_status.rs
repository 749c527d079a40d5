//! What is known about an `Llmd` and its releases.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::shared::schema;

/// What is known about an `Llmd`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LlmdStatus {
    /// `Ready` or `Not Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,

    /// The generation of the spec with which it was Ready last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `ProvisioningSucceeded` (the releases are as asked for), `DeploymentsAvailable` (their Pods serve),
    /// `DependenciesAvailable` (the cluster knows the kinds that the charts use) and, after the last try of a failing step, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "releases")]
    pub releases: Vec<ChartRelease>,

    /// Namespace in which the releases are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A chart's release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartRelease {
    /// Name of the release.
    pub name: String,

    /// Version of the chart that is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,

    /// Where the chart is had from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,

    /// Namespace of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,

    /// State of the release, for example `InSync`, `OutOfSync`, `Drifted`, `Failed`, `Locked` or `Absent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,

    /// What is done about it or stands against it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Revision that is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,

    /// Tries of what is asked for now; absent when there was none or it is in sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<ReleaseAttempts>,

    /// The latest revisions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "history")]
    pub history: Vec<ReleaseRevision>,
}

/// Tries of one chart with one set of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseAttempts {
    /// Hash over chart, version and values of what was tried.
    pub digest: String,

    /// Failed tries.
    pub failures: i32,

    /// When the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_failure: Option<Timestamp>,

    /// What the chart or Helm said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Value of the annotation `llm-operator.io/retry` that counts as seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
}

/// One revision of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRevision {
    /// Its number.
    pub revision: i32,

    /// Version of its chart.
    pub version: String,

    /// Helm's word, for example `deployed`, `superseded` or `failed`.
    pub status: String,

    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub deployed_at: Option<Timestamp>,

    /// What Helm says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn releases(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<Vec<ChartRelease>>();
    schema.insert("x-kubernetes-list-type".into(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".into(), ["name"].as_slice().into());
    schema
}

fn history(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<Vec<ReleaseRevision>>();
    schema.insert("x-kubernetes-list-type".into(), "atomic".into());
    schema
}

fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}
