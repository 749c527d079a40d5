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

    /// What was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<ReleaseAttempts>,

    /// The latest revisions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "history")]
    pub history: Vec<ReleaseRevision>,
}

/// What was tried for a release. Kept here so that tries stay bounded when the operator restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseAttempts {
    /// Hash over chart, version and values of what was asked for.
    pub digest: String,

    /// Generation of the spec that asked for it.
    pub generation: i64,

    /// Value of the annotation `llm-operator.io/retry` that counts as seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,

    /// Installations and upgrades that failed.
    pub failures: i32,

    /// Rollbacks and uninstallations that failed since one succeeded.
    pub remedy_failures: i32,

    /// Steps that ended without a result, such as those of an operator that was killed.
    pub interruptions: i32,

    /// Whether another try is of no use.
    pub hopeless: bool,

    /// When one failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_failure: Option<Timestamp>,

    /// What the chart or Helm said about the last failed installation or upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// The step that was begun and whose outcome is not yet seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<StartedStep>,

    /// The last revision that was made and succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<AppliedRevision>,
}

/// A step that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedStep {
    /// `Install`, `Upgrade`, `Rollback`, `Uninstall`, `CorrectDrift` or `Unlock`.
    pub action: String,

    /// Last revision of the release before it; 0 for none.
    pub revision: i32,

    /// Hash of what the release is made from.
    pub digest: String,

    /// `Succeeded` or `Failed`, once its end was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// A revision that was made and succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRevision {
    /// Hash of what it was made from.
    pub digest: String,

    /// Its number.
    pub revision: i32,

    /// Uid of the Secret that Helm keeps it in.
    pub uid: String,
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
