//! A person's own probes.

use k8s_openapi::{
    api::core::v1::{HTTPGetAction, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::report;
use crate::{field_error::FieldError, plan::PORT_NAME, request::ContainerRequest};

/// Checks all three.
pub(super) fn check(container: &ContainerRequest, errors: &mut Vec<FieldError>) {
    let probes = [
        ("startup", &container.startup_probe),
        ("readiness", &container.readiness_probe),
        ("liveness", &container.liveness_probe),
    ];
    for (kind, probe) in probes {
        let Some(probe) = probe else { continue };
        let path = format!("probes.{kind}");
        report(&path, handler_problem(probe), errors);
        report(&path, number_problem(probe), errors);
        report(path, kind_problem(kind, probe), errors);
    }
}

fn handler_problem(probe: &Probe) -> Option<String> {
    match (&probe.exec, &probe.grpc, &probe.http_get, &probe.tcp_socket) {
        (Some(exec), None, None, None) => exec
            .command
            .as_ref()
            .is_none_or(Vec::is_empty)
            .then(|| "exec needs a command".into()),
        (None, Some(grpc), None, None) => port_problem("grpc", &IntOrString::Int(grpc.port)),
        (None, None, Some(http), None) => http_problem(http),
        (None, None, None, Some(tcp)) => port_problem("tcpSocket", &tcp.port),
        _ => Some("needs exactly one of exec, grpc, httpGet and tcpSocket".into()),
    }
}

fn http_problem(http: &HTTPGetAction) -> Option<String> {
    let is_header =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let mut headers = http.http_headers.iter().flatten();
    if let Some(bad) = headers.find(|header| !is_header(&header.name)) {
        Some(format!("httpGet: {:?} is no name of an HTTP header", bad.name))
    } else if !matches!(http.scheme.as_deref(), None | Some("HTTP" | "HTTPS")) {
        Some("httpGet: scheme must be HTTP or HTTPS".into())
    } else if http.path.as_deref() == Some("") {
        Some("httpGet: path must not be empty; leave it out for /".into())
    } else {
        port_problem("httpGet", &http.port)
    }
}

fn port_problem(handler: &str, port: &IntOrString) -> Option<String> {
    match port {
        IntOrString::Int(1..=65535) => None,
        IntOrString::String(name) if name == PORT_NAME => None,
        IntOrString::Int(number) => Some(format!(
            "{handler}: {number} is no port; choose one from 1 to 65535"
        )),
        IntOrString::String(name) => Some(format!(
            "{handler}: the container has no port {name:?}; write {PORT_NAME}, or a number without quotes"
        )),
    }
}

fn number_problem(probe: &Probe) -> Option<&'static str> {
    let counts = [
        probe.failure_threshold,
        probe.period_seconds,
        probe.success_threshold,
        probe.timeout_seconds,
    ];
    if probe.initial_delay_seconds.is_some_and(|seconds| seconds < 0) {
        Some("initialDelaySeconds must be 0 or more")
    } else if counts.into_iter().flatten().any(|number| number < 1) {
        Some(
            "failureThreshold, periodSeconds, successThreshold and timeoutSeconds must be 1 or more; leave them out for Kubernetes' own",
        )
    } else if probe
        .termination_grace_period_seconds
        .is_some_and(|seconds| seconds < 1)
    {
        Some("terminationGracePeriodSeconds must be 1 or more")
    } else {
        None
    }
}

fn kind_problem(kind: &str, probe: &Probe) -> Option<&'static str> {
    if kind != "readiness" && probe.success_threshold.is_some_and(|times| times > 1) {
        Some("successThreshold must be 1 for startup and liveness")
    } else if kind == "readiness" && probe.termination_grace_period_seconds.is_some() {
        Some("terminationGracePeriodSeconds has no use: a readiness probe ends nothing")
    } else {
        None
    }
}
