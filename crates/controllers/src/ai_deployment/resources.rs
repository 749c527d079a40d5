//! What the engine's container reserves, its GPUs among it.
//!
//! In: `deployment.resources`, the template's, the accelerator. Out: amounts, GPUs, runtime class, or what is wrong. Pure.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::DeploymentSpec;
use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use serving::{field_error::FieldError, gpu::GpuRequest, quantity::Quantity};

use super::amounts;

const GPU: &str = "nvidia.com/gpu";
/// The runtime class of Pods with GPUs.
const RUNTIME_CLASS: &str = "nvidia";

type Amounts = BTreeMap<String, Quantity>;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Resources {
    /// What is reserved.
    pub requests: Amounts,
    /// What may be used at most.
    pub limits: Amounts,
    /// GPUs of one replica.
    pub gpu: Option<GpuRequest>,
    /// The runtime class that GPUs need.
    pub runtime_class: Option<&'static str>,
}

/// The resource's amounts over those of the template's container.
///
/// # Errors
/// An amount is none, or GPUs and accelerator do not go together.
pub(super) fn resources(
    spec: &DeploymentSpec,
    template: Option<&ResourceRequirements>,
) -> Result<Resources, Vec<FieldError>> {
    let mut errors = Vec::new();
    let of = |amounts: Option<&BTreeMap<String, ApiQuantity>>, path: &str, errors: &mut Vec<FieldError>| {
        parse(amounts, path, errors)
    };
    let wanted = spec.resources.as_ref();
    let wanted_requests = of(
        wanted.and_then(|wanted| wanted.requests.as_ref()),
        "deployment.resources.requests",
        &mut errors,
    );
    let wanted_limits = of(
        wanted.and_then(|wanted| wanted.limits.as_ref()),
        "deployment.resources.limits",
        &mut errors,
    );
    let path = "deployment.template.spec.containers[0].resources";
    let mut requests = of(
        template.and_then(|template| template.requests.as_ref()),
        path,
        &mut errors,
    );
    let mut limits = of(
        template.and_then(|template| template.limits.as_ref()),
        path,
        &mut errors,
    );
    let asks = wanted_requests.contains_key(GPU);
    requests.extend(wanted_requests);
    limits.extend(wanted_limits);
    let gpus = match interface(spec, asks) {
        Ok(is_cuda) => gpus(
            is_cuda,
            requests.get(GPU).or_else(|| limits.get(GPU)),
            &mut errors,
        ),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    let accelerated = gpus.filter(|_| spec.accelerator.is_some());
    if let Some(count) = accelerated {
        requests.insert(GPU.to_owned(), Quantity::from_units(count));
        limits.insert(GPU.to_owned(), Quantity::from_units(count));
    }
    let errors = amounts::check(&requests, &limits);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Resources {
        // Without GPUs prem-operator left the Pods to the cluster's own runtime.
        runtime_class: accelerated.filter(|count| *count > 0).map(|_| RUNTIME_CLASS),
        gpu: gpus.filter(|count| *count > 0).map(|count| GpuRequest {
            count,
            resource: GPU.to_owned(),
            product: None,
            min_memory: None,
        }),
        requests,
        limits,
    })
}

fn parse(
    amounts: Option<&BTreeMap<String, ApiQuantity>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Amounts {
    let mut parsed = Amounts::new();
    for (name, amount) in amounts.into_iter().flatten() {
        match amount.0.parse() {
            Ok(amount) => {
                parsed.insert(name.clone(), amount);
            }
            Err(error) => errors.push(FieldError::new(format!("{path}[{name}]"), format!("{error}"))),
        }
    }
    parsed
}

/// Whether there is a CUDA accelerator; `asks`: the resource itself requests GPUs.
fn interface(spec: &DeploymentSpec, asks: bool) -> Result<bool, FieldError> {
    match spec
        .accelerator
        .as_ref()
        .map(|accelerator| accelerator.interface.as_str())
    {
        Some("CUDA") => Ok(true),
        Some(other) => Err(FieldError::new(
            "deployment.accelerator.interface",
            format!("unsupported accelerator interface: {other}; only CUDA is supported"),
        )),
        None if asks => Err(FieldError::new(
            "deployment.accelerator",
            "deployment requests Nvidia GPU but no accelerator is specified; set deployment.accelerator.interface: CUDA",
        )),
        None => Ok(false),
    }
}

/// GPUs of one replica: with an accelerator as many as are asked for, be it none, and else one; without one what a limit
/// says.
fn gpus(is_cuda: bool, asked: Option<&Quantity>, errors: &mut Vec<FieldError>) -> Option<u32> {
    let Some(asked) = asked else {
        return is_cuda.then_some(1);
    };
    let text = asked.to_api().0;
    let count = text.parse::<u32>().ok();
    if count.is_none() {
        let message = format!("{text:?} is no number of GPUs; choose a whole number");
        errors.push(FieldError::new("deployment.resources", message));
    }
    count
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &serde_json::Value) -> Result<Resources, Vec<FieldError>> {
        resources(&serde_json::from_value(spec.clone()).unwrap(), None)
    }

    #[test]
    fn gpus_follow_the_accelerator_and_the_amounts() {
        let cuda = json!({"interface": "CUDA", "minVersion": {"major": 7}});
        for (spec, count, class) in [
            (json!({}), None, None),
            (json!({"accelerator": cuda}), Some(1), Some("nvidia")),
            (
                json!({"accelerator": cuda, "resources": {"requests": {"nvidia.com/gpu": 3}}}),
                Some(3),
                Some("nvidia"),
            ),
            (
                json!({"accelerator": cuda, "resources": {"requests": {"nvidia.com/gpu": "0"}}}),
                None,
                None,
            ),
            // Bug 11: a limit alone is a request for GPUs as well; without an accelerator it works as it always has.
            (
                json!({"accelerator": cuda, "resources": {"limits": {"nvidia.com/gpu": "2"}}}),
                Some(2),
                Some("nvidia"),
            ),
            (
                json!({"resources": {"limits": {"nvidia.com/gpu": 2}}}),
                Some(2),
                None,
            ),
        ] {
            let resources = of(&spec).unwrap();
            assert_eq!(resources.gpu.map(|gpu| gpu.count), count, "{spec}");
            assert_eq!(resources.runtime_class, class, "{spec}");
            let amount = |amounts: &Amounts| amounts.get(GPU).map(|amount| amount.to_api().0);
            // None at all is said twice as well: Kubernetes takes no request for devices without a limit.
            let accelerated = spec.get("accelerator").is_some();
            let both = accelerated.then(|| count.unwrap_or(0)).or(count);
            let both = both.map(|count| count.to_string());
            assert_eq!(amount(&resources.limits), both, "{spec}");
            if accelerated {
                assert_eq!(amount(&resources.requests), both, "{spec}");
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        for (spec, words) in [
            (
                json!({"resources": {"requests": {"nvidia.com/gpu": 1}}}),
                "deployment requests Nvidia GPU but no accelerator is specified",
            ),
            (
                json!({"accelerator": {"interface": "ROCm"}}),
                "unsupported accelerator interface: ROCm",
            ),
            (
                json!({"accelerator": {"interface": "CUDA"}, "resources": {"requests": {"nvidia.com/gpu": "500m"}}}),
                "no number of GPUs",
            ),
            (
                json!({"resources": {"requests": {"cpu": "many"}}}),
                "is not a quantity",
            ),
        ] {
            let errors = of(&spec).unwrap_err();
            assert!(errors[0].to_string().contains(words), "{errors:?}");
        }
    }
}
