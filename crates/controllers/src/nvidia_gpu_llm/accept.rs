//! Validate and plan: what an `install` asks for as a plan, or what is wrong with it.
//!
//! In: an `NvidiaGpuLlm`. Out: a [`ServingPlan`] of one Pod with Ollama. It names nothing else that would have to be looked
//! up. Pure.

use api::{
    infra_example_com::v1::{NvidiaGpuLlm, NvidiaGpuLlmSpec},
    shared::{AccessMode, Engine},
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serving::{
    field_error::FieldError,
    gpu::GpuRequest,
    plan::ServingPlan,
    request::{
        BudgetRequest, ClaimRequest, ContainerRequest, EngineRequest, Identity, ModelRequest, PodForm,
        PodRequest, ServiceKind, ServiceRequest, ServingRequest, Settings, StorageRequest, WorkloadRequest,
    },
    source::ModelSource,
};

use crate::{
    kinds::{INFRA_GROUP, INFRA_VERSION, NVIDIA_GPU_LLM},
    parsing::{Errors, access, port, quantity},
    serving_kind::rejection::Rejection,
};

/// The image without a word of the user: the version that the operator is tested with.
const IMAGE: &str = "ollama/ollama:0.17.4";
/// The container with the engine, so that `kubectl exec POD -- ollama` needs no `-c`: it is the first and only one.
const CONTAINER: &str = "ollama";
/// Ollama's port in the Pod, whatever the Service's is.
pub(super) const PORT: u16 = 11434;
const GPU: &str = "nvidia.com/gpu";
/// Seconds between the stop signal and the kill: Kubernetes' own. The Pod serves for the first five.
const GRACE_SECONDS: i64 = 30;
/// Of a Pod that ends by itself: the generation of the spec that it was made for. A Pod that has ended for an older one makes
/// room for its successor.
const GENERATION: &str = "infra.example.com/generation";

/// Fields as the plan calls them, and as the resource does.
const PLACES: [(&str, &str); 8] = [
    ("gpu.count", "gpuCount"),
    ("resources.cpu", "cpuCores"),
    ("resources.memory", "memory"),
    ("storage.size", "storageSize"),
    ("modelName", "model"),
    ("source.uri", "model"),
    ("port", "servicePort"),
    ("replicas", "action"),
];

/// Validates and plans.
///
/// # Errors
/// Every field that cannot be used.
pub(super) fn accept(resource: &NvidiaGpuLlm, operator_namespace: &str) -> Result<ServingPlan, Rejection> {
    let owner = format!("{NVIDIA_GPU_LLM} {}", resource.name_any());
    request(resource, operator_namespace)
        .and_then(ServingPlan::new)
        .map_err(|errors| {
            let errors = errors.into_iter().map(in_place).collect();
            Rejection::invalid(errors, |_| owner.clone())
        })
}

/// The owner of what is made.
pub(super) fn identity(resource: &NvidiaGpuLlm) -> Identity {
    crate::parsing::identity(&resource.metadata, NVIDIA_GPU_LLM, (INFRA_GROUP, INFRA_VERSION))
}

fn request(resource: &NvidiaGpuLlm, operator_namespace: &str) -> Result<ServingRequest, Vec<FieldError>> {
    let spec = &resource.spec;
    let mut errors = Errors::default();
    let container = container(spec, &mut errors);
    let gpu = errors.keep(gpu(spec.gpu_count)).flatten();
    let storage = storage(spec, &mut errors);
    let service = errors.keep(service(spec));
    let access = errors.keep(access(spec.access.as_ref(), operator_namespace));
    let (Some(service), Some(access)) = (service, access) else {
        return Err(errors.0);
    };
    errors.finish(ServingRequest {
        identity: identity(resource),
        name: Some(spec.llm_name.clone()),
        engine: EngineRequest::Own(Engine::Ollama),
        form: PodForm::Own,
        model: ModelRequest {
            name: spec.model.clone(),
            source: Some(ModelSource::Ollama {
                model: spec.model.clone(),
            }),
            credentials_secret: None,
            weights_bytes: None,
        },
        container,
        gpu,
        storage,
        claims: std::collections::BTreeMap::new(),
        workload: WorkloadRequest::Pod {
            ends: !spec.keep_alive,
        },
        pod: pod(resource),
        service,
        ingress: None,
        config: None,
        settings: Settings::Arguments,
        scaling: None,
        sizing: None,
        budget: BudgetRequest::Disabled,
        access,
    })
}

fn container(spec: &NvidiaGpuLlmSpec, errors: &mut Errors) -> ContainerRequest {
    let cores = match &spec.cpu_cores {
        IntOrString::Int(cores) => cores.to_string(),
        IntOrString::String(text) => text.clone(),
    };
    ContainerRequest {
        name: Some(CONTAINER),
        image: spec.image.clone().unwrap_or_else(|| IMAGE.to_owned()),
        port: Some(PORT),
        cpu: errors.keep(quantity("cpuCores", &cores)),
        memory: errors.keep(quantity("memory", &spec.memory.0)),
        ..ContainerRequest::default()
    }
}

/// None on CPUs.
fn gpu(count: i32) -> Result<Option<GpuRequest>, FieldError> {
    let count = u32::try_from(count).map_err(|_| {
        FieldError::new(
            "gpuCount",
            format!("{count} is no number of GPUs; choose 0 or more"),
        )
    })?;
    Ok((count > 0).then(|| GpuRequest {
        count,
        resource: GPU.to_owned(),
        product: None,
        min_memory: None,
    }))
}

fn storage(spec: &NvidiaGpuLlmSpec, errors: &mut Errors) -> Option<StorageRequest> {
    if !spec.persistent_storage {
        return None;
    }
    let size = errors.keep(quantity("storageSize", &spec.storage_size.0))?;
    Some(StorageRequest {
        claim: ClaimRequest::New {
            size,
            class: spec.storage_class_name.clone(),
            mode: AccessMode::ReadWriteOnce,
        },
        mount_path: None,
    })
}

fn service(spec: &NvidiaGpuLlmSpec) -> Result<ServiceRequest, FieldError> {
    Ok(ServiceRequest {
        made: spec.service_enabled,
        port: port("servicePort", spec.service_port)?,
        more_ports: Vec::new(),
        kind: ServiceKind::ClusterIp,
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    })
}

fn pod(resource: &NvidiaGpuLlm) -> PodRequest {
    let spec = &resource.spec;
    let generation = resource.metadata.generation.unwrap_or_default().to_string();
    let secrets = spec.image_pull_secrets.iter().flatten();
    PodRequest {
        annotations: (!spec.keep_alive)
            .then(|| (GENERATION.to_owned(), generation))
            .into_iter()
            .collect(),
        node_selector: spec.node_selector.clone().unwrap_or_default(),
        tolerations: spec.tolerations.clone().unwrap_or_default(),
        runtime_class: spec.runtime_class_name.clone(),
        grace_period_seconds: Some(GRACE_SECONDS),
        image_pull_secrets: secrets
            .map(|secret| secret.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        ..PodRequest::default()
    }
}

/// The error at the place where the resource has the field.
fn in_place(error: FieldError) -> FieldError {
    match PLACES.iter().find(|(planned, _)| *planned == error.path) {
        Some((_, place)) => FieldError::new(*place, error.message),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serving::plan::Workload;

    use super::*;

    fn resource(spec: &serde_json::Value) -> NvidiaGpuLlm {
        serde_json::from_value(json!({
            "apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm",
            "metadata": {"name": "demo", "namespace": "n", "uid": "u", "generation": 3}, "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_made_has_the_llm_name_and_the_containers_is_ollama() {
        let plan = accept(
            &resource(&json!({"action": "install", "llmName": "gpu-llm-pod"})),
            "ns",
        )
        .unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.identity.name.as_str()),
            ("gpu-llm-pod", "demo")
        );
        assert_eq!(plan.workload, Workload::Pod { ends: false });
        assert_eq!(plan.pod.engine.name, "ollama");
        assert_eq!(plan.pod.engine.limits["nvidia.com/gpu"].to_string(), "1");
        assert_eq!(plan.pod.engine.limits["memory"].to_string(), "4Gi");
        assert_eq!(plan.pod.engine.requests["cpu"].to_string(), "2");
        assert!(!plan.service.made && plan.claim.is_none() && plan.pod.annotations.is_empty());
    }

    #[test]
    fn the_variation_of_the_document() {
        let plan = accept(
            &resource(&json!({
                "action": "install", "llmName": "llama2-pod", "model": "llama2:7b", "gpuCount": 1, "memory": "8Gi",
                "serviceEnabled": true, "servicePort": 8080, "persistentStorage": true, "storageSize": "20Gi",
            })),
            "ns",
        )
        .unwrap();
        assert!(plan.service.made);
        assert_eq!((plan.service.port, plan.pod.engine.ports[0].number), (8080, PORT));
        assert_eq!(plan.claim.unwrap().size.to_string(), "20Gi");
        assert_eq!(
            plan.pod.init[0].command[4..],
            ["llama2:7b".to_owned(), String::new()]
        );
        assert!(
            !plan.pod.labels.contains_key(serving::labels::CLAIM),
            "one Pod shares with nobody"
        );
    }

    #[test]
    fn a_pod_that_ends_says_for_which_generation_it_was_made() {
        let spec = json!({"action": "install", "llmName": "p", "keepAlive": false, "gpuCount": 0});
        let plan = accept(&resource(&spec), "ns").unwrap();
        assert_eq!(plan.workload, Workload::Pod { ends: true });
        assert_eq!(plan.pod.annotations[GENERATION], "3");
        assert!(plan.gpu.is_none());
    }

    #[test]
    fn errors_name_the_resources_own_fields() {
        let spec = json!({"action": "install", "llmName": "p", "gpuCount": -1, "memory": "much", "cpuCores": 0,
            "servicePort": 0, "storageSize": "-1", "persistentStorage": true});
        let told = accept(&resource(&spec), "ns").unwrap_err().to_string();
        for field in ["spec.gpuCount", "spec.memory", "spec.servicePort"] {
            assert!(
                told.contains(&format!("NvidiaGpuLlm demo {field}")),
                "{field} in {told}"
            );
        }
        let spec = json!({"action": "install", "llmName": "p", "cpuCores": 0, "persistentStorage": true, "storageSize": 0});
        let told = accept(&resource(&spec), "ns").unwrap_err().to_string();
        assert!(
            told.contains("spec.cpuCores") && told.contains("spec.storageSize"),
            "{told}"
        );
    }
}
