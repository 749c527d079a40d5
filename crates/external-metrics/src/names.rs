//! Names that clients of this API and the rest of the operator rely on.

/// The API's group.
pub(crate) const GROUP: &str = "external.metrics.k8s.io";
/// Its one version.
pub(crate) const VERSION: &str = "v1beta1";
/// The one metric: replicas that were decided for a workload.
pub const METRIC: &str = "llm_operator_desired_replicas";
/// Label of the metric: `<kind in lower case>.<group>` of the resource that the number is for.
pub const KIND_LABEL: &str = "llm-operator.io/kind";
/// Label of the metric: the resource's name.
pub const NAME_LABEL: &str = "llm-operator.io/name";
/// The object that leads requests of this API to a Service. A cluster has one, so it has one adapter.
pub const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";
/// The Service of the operator's namespace that the API leads to, unless told otherwise.
pub const SERVICE: &str = "llm-operator-external-metrics";

/// The Secret with the certificate that is served behind a Service.
pub fn certificate_of(service: &str) -> String {
    format!("{service}-tls")
}
