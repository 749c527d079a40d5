//! One chart of an `Llmd`: whether, which version, with which values, from where.
//!
//! `enabled` is optional in Rust and required by the schema: another operator's definition may let it be absent.

use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartBlock {
    /// Whether the chart is deployed. `false` uninstalls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub enabled: Option<bool>,

    /// Version of the chart, with or without a leading `v`. Default: llm-d-modelservice 0.2.11, llm-d-infra 1.3.3, inferencepool 1.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^v?[0-9]+[.][0-9]+[.][0-9]+([-+][0-9A-Za-z.+-]+)?$')").message("version must be one version such as 1.3.3 or v1.3.3, not a range"))]
    pub version: Option<String>,

    /// Values of the chart, as in a `values.yaml`. They win over `valuesFrom`, and over those by which the operator fits the
    /// charts together. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub values: Option<Map<String, Value>>,

    /// Values from `ConfigMap`s and `Secret`s of the releases' namespace; later ones win. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub values_from: Option<Vec<ValuesFrom>>,

    /// Where the chart is had from. Default: the charts directory of the operator, then the repository of its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

/// A `values.yaml` in a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesFrom {
    /// `ConfigMap` or `Secret`.
    #[schemars(schema_with = "values_kind")]
    pub kind: String,

    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Key with the YAML. Default: `values.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,

    /// Whether it may be missing. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// Where a chart is had from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// `https://` or `http://` and the base of a repository with an `index.yaml`; `oci://` and the path to the chart, the chart's
    /// name included; or `file:` and the path of an archive, of a chart or of a directory with charts, below the operator's charts directory.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^(https?://[^\\\\s/@?#]+[^\\\\s@?#]*|oci://[^\\\\s/@?#]+/[^\\\\s@?#]+|file:[^\\\\s]+)$')").message("url must start with https://, http://, oci:// or file:, and hold no credentials: those belong into the Secret that secretRef names"))]
    pub url: String,

    /// Name of the chart in the index of a repository. Default: llm-d's own name of the chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 250))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9._]*[a-zA-Z0-9])?$')").message("chart must be the name of a chart: letters, digits, '-', '_' and '.'"))]
    pub chart: Option<String>,

    /// Secret of the releases' namespace with `username` and `password`, and `ca.crt` where the server's certificate is signed by
    /// a private authority. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,

    /// Whether an OCI registry is talked to without TLS. Default: false.
    #[serde(default, rename = "plainHTTP", skip_serializing_if = "Option::is_none")]
    pub plain_http: Option<bool>,
}

/// A Secret by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct SecretReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What follows on a failed step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// Further tries after the first, 0 to 100. Then the release is Stalled until its chart, version or values change, or the annotation
    /// `llm-operator.io/retry` gets another value. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub retries: Option<i32>,

    /// What becomes of a failed installation before the next try: `uninstall` or `keep`. Default: `uninstall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "install_remedy")]
    pub install: Option<String>,

    /// What becomes of a failed upgrade: `rollback` to the revision that worked, `uninstall` or `keep`. Default: `rollback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "upgrade_remedy")]
    pub upgrade: Option<String>,
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

fn values_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["ConfigMap", "Secret"] })
}

fn install_remedy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["uninstall", "keep"] })
}

fn upgrade_remedy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["rollback", "uninstall", "keep"] })
}
