//! What the API server would refuse in the children, found before anything is applied.
//!
//! In: a request. Out: everything that is wrong, by field. The shapes inside a Pod are Kubernetes' own and our schema passes
//! them through, so their rules are checked here, where a person reads the answer in the status of the resource and not in
//! a log. It must not repeat what parsing has made impossible.

mod access;
mod affinity;
mod env;
mod ingress;
mod metadata;
mod names;
mod probes;
mod scheduling;
mod security;
mod selector;

use crate::{
    field_error::FieldError,
    quantity::Quantity,
    request::{ClaimRequest, PodForm, ServingRequest, WorkloadRequest},
};

pub(super) use self::access::cidr;

/// Mount paths that would hide what the container needs.
const TAKEN_PATHS: [&str; 6] = ["/", "/dev", "/dev/shm", "/proc", "/sys", "/home/engine"];

/// Checks every field on its own.
pub fn check(request: &ServingRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_words(request, &mut errors);
    env::check(request, &mut errors);
    check_quantities(request, &mut errors);
    check_mount_path(request, &mut errors);
    probes::check(&request.container, &mut errors);
    metadata::check(request, &mut errors);
    scheduling::check(request, &mut errors);
    affinity::check(request.pod.affinity.as_ref(), &mut errors);
    access::check(&request.access, &mut errors);
    names::check(request, &mut errors);
    if request.form == PodForm::Own {
        security::check(request, &mut errors);
    }
    errors.extend(ingress::check(request));
    errors
}

/// Notes a problem, when there is one.
fn report(path: impl Into<String>, problem: Option<impl Into<String>>, errors: &mut Vec<FieldError>) {
    errors.extend(problem.map(|problem| FieldError::new(path, problem)));
}

fn check_words(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    let image = &request.container.image;
    if image.is_empty() || image.chars().any(odd) {
        let message = "must be a container image reference without blanks";
        errors.push(FieldError::new("image", message));
    }
    if request.model.name.is_empty() && request.form == PodForm::Own {
        errors.push(FieldError::new("modelName", "must not be empty"));
    }
    if let WorkloadRequest::Deployment { replicas, .. } = &request.workload
        && replicas.is_some_and(|replicas| replicas < 0)
    {
        errors.push(FieldError::new("replicas", "must be 0 or more"));
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
    let odd_part = |part: &str| matches!(part, "" | "." | "..");
    let odd = path.contains(':') || path.contains("$(") || path.chars().any(char::is_control);
    let inner = plain.strip_prefix('/');
    if odd || inner.is_none_or(|inner| inner.split('/').any(odd_part)) || TAKEN_PATHS.contains(&plain) {
        let message =
            format!("{path:?} cannot be used; give an absolute path of its own, for example /models");
        errors.push(FieldError::new("storage.mountPath", message));
    }
}
