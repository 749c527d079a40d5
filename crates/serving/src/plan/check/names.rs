//! Names of other objects, and of what nodes advertise.

use std::collections::BTreeSet;

use crate::{
    field_error::FieldError,
    gpu::GpuRequest,
    labels::{is_dns_subdomain, is_label_value, is_qualified_name},
    request::{ClaimRequest, ServingRequest},
};

/// Checks every name.
pub(super) fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    check_objects(request, errors);
    let mut seen = BTreeSet::new();
    let secrets = &request.pod.image_pull_secrets;
    for name in secrets.iter().filter(|name| !seen.insert(*name)) {
        let message = format!("{name} is given twice; keep one");
        errors.push(FieldError::new("imagePullSecrets", message));
    }
    if let Some(gpu) = &request.gpu {
        check_gpu(gpu, errors);
    }
}

fn check_objects(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let claim = request.storage.as_ref().map(|storage| &storage.claim);
    let (existing, class) = match claim {
        Some(ClaimRequest::Existing(claim)) => (Some(claim), None),
        Some(ClaimRequest::New { class, .. }) => (None, class.as_ref().filter(|class| !class.is_empty())),
        None => (None, None),
    };
    let table = [
        ("storage.existingClaim", existing),
        ("storage.storageClassName", class),
        (
            "source.credentialsSecret",
            request.model.credentials_secret.as_ref(),
        ),
        ("priorityClassName", request.pod.priority_class.as_ref()),
        ("runtimeClassName", request.pod.runtime_class.as_ref()),
    ];
    let one_by_one = table.into_iter().filter_map(|(path, name)| Some((path, name?)));
    let secrets = request
        .pod
        .image_pull_secrets
        .iter()
        .map(|name| ("imagePullSecrets", name));
    for (path, name) in one_by_one.chain(secrets) {
        if !is_dns_subdomain(name) {
            let message = format!(
                "{name:?} cannot be the name of an object: lower case letters, digits, '-' and '.' only"
            );
            errors.push(FieldError::new(path, message));
        }
    }
}

fn check_gpu(gpu: &GpuRequest, errors: &mut Vec<FieldError>) {
    let resource = &gpu.resource;
    // A quota counts it under this name, which must be one as well.
    let counted = is_qualified_name(&format!("requests.{resource}"));
    let reserved = resource.starts_with("requests.") || resource.contains("kubernetes.io/");
    if !resource.contains('/') || !is_qualified_name(resource) || !counted || reserved {
        let message = format!(
            "{resource:?} is no resource that a node can advertise; write for example nvidia.com/gpu"
        );
        errors.push(FieldError::new("gpu.resourceName", message));
    }
    if gpu
        .product
        .as_deref()
        .is_some_and(|product| product.is_empty() || !is_label_value(product))
    {
        errors.push(FieldError::new(
            "gpu.product",
            "must be a GPU family such as H100, or a value of the node label nvidia.com/gpu.product",
        ));
    }
    if !resource.starts_with("nvidia.com/") && (gpu.product.is_some() || gpu.min_memory.is_some()) {
        let message = format!(
            "product and minMemory go by NVIDIA's node labels, but the resource is {resource}; use nodeSelector instead"
        );
        errors.push(FieldError::new("gpu", message));
    }
}
