//! Promises of latency and throughput, and what was decided to keep them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// How fast answers must be; with it the number of replicas follows the load, and `replicas` is the least of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.idleAfter) || has(self.timeToFirstToken) || has(self.timePerOutputToken) || has(self.outputTokensPerSecond)")
        .message("idleAfter needs a promise beside it: timeToFirstToken, timePerOutputToken or outputTokensPerSecond"),
)]
pub struct ScalingSpec {
    /// Most replicas, 1 or more. Default: four times `replicas`, at least 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: Option<i32>,

    /// Longest time until the first token, for example `1s`. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub time_to_first_token: Option<String>,

    /// Longest mean time per output token of a request, for example `50ms`. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub time_per_output_token: Option<String>,

    /// Output tokens per second that all replicas together must be able to make. Default: not promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub output_tokens_per_second: Option<i64>,

    /// Share of requests that must be within the times. Default: `99%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::attainment")]
    pub attainment: Option<String>,

    /// After so long without a request there are no replicas until somebody asks for some, for example `15m`; 30 s to a week. Default: there always are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::idle")]
    pub idle_after: Option<String>,
}

/// What carries the number of replicas to the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Transport {
    /// A `HorizontalPodAutoscaler` that reads it as an external metric from the operator.
    Metric,
    /// The operator sets it on the workload's `/scale`, because the external metrics API belongs to somebody else or cannot be used.
    Scale,
}

/// What was decided, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStatus {
    /// How many replicas there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,

    /// Fewest that are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,

    /// Most that are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i32>,

    /// What carries the number to the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Transport>")]
    pub transport: Option<Transport>,

    /// One word: why this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// The sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When the number or its reason last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Time>")]
    pub decided_at: Option<Time>,

    /// Requests per second that arrive, for example `151.0/s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<String>,

    /// Requests per second for which replicas are ordered: what may arrive by the time that a new one serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_for: Option<String>,

    /// Requests per second that one replica sustains within the promise, as learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_capacity: Option<String>,

    /// What bounds that capacity, for example `time per output token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<String>,

    /// Requests that are waiting in the replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,

    /// Mean time per output token that is expected at this load, for example `14.8ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_per_output_token: Option<String>,

    /// How long a replica takes from order to service, as measured, for example `62s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_time: Option<String>,

    /// While there are no replicas: since when there was no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bare::<Time>")]
    pub idle_since: Option<Time>,

    /// While there are no replicas: the value of the annotation `llm-operator.io/wake` that is known; another one wakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_seen: Option<String>,
}
