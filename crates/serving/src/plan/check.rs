//! What the API server would refuse in the children, found before anything is applied.
//!
//! In: a request. Out: everything that is wrong, by field. It must not repeat what parsing has made impossible.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{EnvVar, Probe};

use super::check_scheduling;
use crate::{
    field_error::FieldError,
    labels::{check_keys, check_labels, is_label_value},
    quantity::Quantity,
    request::{ClaimRequest, ServingRequest, WorkloadRequest},
};

/// Mount paths that would hide what the container needs.
const TAKEN_PATHS: [&str; 6] = ["/", "/dev", "/dev/shm", "/proc", "/sys", "/home/engine"];

/// Checks every field on its own.
pub fn check(request: &ServingRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let container = &request.container;
    if container.image.is_empty() || container.image.chars().any(char::is_whitespace) {
        errors.push(FieldError::new(
            "image",
            "must be a container image reference without blanks",
        ));
    }
    if request.model.name.is_empty() {
        errors.push(FieldError::new("modelName", "must not be empty"));
    }
    check_env(&container.env, &mut errors);
    check_quantities(request, &mut errors);
    check_mount_path(request, &mut errors);
    check_probes(request, &mut errors);
    check_placement(request, &mut errors);
    check_scheduling::check(request, &mut errors);
    let WorkloadRequest::Deployment { replicas, .. } = &request.workload;
    if *replicas < 0 {
        errors.push(FieldError::new("replicas", "must be 0 or more"));
    }
    errors
}

fn check_env(env: &[EnvVar], errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (index, variable) in env.iter().enumerate() {
        let path = format!("env[{index}].name");
        let name = variable.name.as_str();
        if name.is_empty() || !name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
            errors.push(FieldError::new(
                &path,
                format!("{name:?} is no valid name of a variable"),
            ));
        }
        if !seen.insert(name) {
            errors.push(FieldError::new(&path, format!("{name} is given twice; keep one")));
        }
        if name == "PORT" {
            errors.push(FieldError::new(
                &path,
                "PORT is set by the operator; set port instead",
            ));
        }
        if variable.value.as_ref().is_some_and(|value| !value.is_empty()) && variable.value_from.is_some() {
            errors.push(FieldError::new(
                format!("env[{index}]"),
                format!("{name} has value and valueFrom; keep one"),
            ));
        }
    }
}

fn check_quantities(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let size = request.storage.as_ref().and_then(|storage| match storage.claim {
        ClaimRequest::New { size, .. } => Some(size),
        ClaimRequest::Existing(_) => None,
    });
    let table: [(&str, Option<Quantity>); 4] = [
        ("resources.cpu", request.container.cpu),
        ("resources.memory", request.container.memory),
        (
            "gpu.minMemory",
            request.gpu.as_ref().and_then(|gpu| gpu.min_memory),
        ),
        ("storage.size", size),
    ];
    for (path, quantity) in table {
        if quantity.is_some_and(|quantity| !quantity.is_positive()) {
            errors.push(FieldError::new(
                path,
                "must be more than 0; leave it out to ask for nothing",
            ));
        }
    }
    if request.gpu.as_ref().is_some_and(|gpu| gpu.count == 0) {
        errors.push(FieldError::new(
            "gpu.count",
            "must be 1 or more; leave out gpu to ask for none",
        ));
    }
}

fn check_mount_path(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let Some(path) = request
        .storage
        .as_ref()
        .and_then(|storage| storage.mount_path.as_deref())
    else {
        return;
    };
    let plain = path.trim_end_matches('/');
    let odd = path.contains(':') || path.split('/').any(|part| part == "..") || path.contains("$(");
    if !path.starts_with('/') || odd || TAKEN_PATHS.contains(&plain) || plain.is_empty() {
        let message =
            format!("{path:?} cannot be used; give an absolute path of its own, for example /models");
        errors.push(FieldError::new("storage.mountPath", message));
    }
}

fn check_probes(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let container = &request.container;
    let probes = [
        ("probes.startup", &container.startup_probe),
        ("probes.readiness", &container.readiness_probe),
        ("probes.liveness", &container.liveness_probe),
    ];
    for (path, probe) in probes {
        if let Some(probe) = probe {
            check_probe(path, probe, errors);
        }
    }
}

fn check_probe(path: &str, probe: &Probe, errors: &mut Vec<FieldError>) {
    let handlers = [
        probe.exec.is_some(),
        probe.grpc.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
    ];
    if handlers.into_iter().filter(|given| *given).count() != 1 {
        errors.push(FieldError::new(
            path,
            "needs exactly one of exec, grpc, httpGet and tcpSocket",
        ));
    }
    let numbers = [
        probe.failure_threshold,
        probe.initial_delay_seconds,
        probe.period_seconds,
        probe.success_threshold,
        probe.timeout_seconds,
    ];
    if numbers.into_iter().flatten().any(|number| number < 0) {
        errors.push(FieldError::new(path, "has a negative number"));
    }
    let once = probe.success_threshold.is_none_or(|times| times <= 1);
    if !once && path != "probes.readiness" {
        errors.push(FieldError::new(
            path,
            "successThreshold must be 1 for startup and liveness",
        ));
    }
}

fn check_placement(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let pod = &request.pod;
    errors.extend(check_labels("podLabels", &pod.labels));
    errors.extend(check_keys("podAnnotations", &pod.annotations));
    errors.extend(check_keys("nodeSelector", &pod.node_selector));
    errors.extend(check_labels("service.labels", &request.service.labels));
    errors.extend(check_keys("service.annotations", &request.service.annotations));
    for (key, value) in &pod.node_selector {
        if !is_label_value(value) {
            errors.push(FieldError::new(
                "nodeSelector",
                format!("{value:?} of {key:?} is no value that a label can have"),
            ));
        }
    }
    if pod.grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        errors.push(FieldError::new(
            "terminationGracePeriodSeconds",
            "must be 0 or more",
        ));
    }
    let other = request
        .gpu
        .as_ref()
        .filter(|gpu| !gpu.resource.starts_with("nvidia.com/"));
    if let Some(gpu) = other.filter(|gpu| gpu.product.is_some() || gpu.min_memory.is_some()) {
        let message = format!(
            "product and minMemory go by NVIDIA's node labels, but the resource is {}; use nodeSelector instead",
            gpu.resource
        );
        errors.push(FieldError::new("gpu", message));
    }
}
