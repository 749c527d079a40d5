//! Requests for tests: one that asks for nothing, and pieces to add.
#![allow(dead_code, clippy::unnecessary_wraps, clippy::unwrap_used)] // Every test program uses some of it, as it needs it.

use std::collections::BTreeMap;

use api::shared::{AccessMode, Engine};
use serving::{
    ServingPlan,
    gpu::GpuRequest,
    plan::Workload,
    request::{
        Access, BudgetRequest, ClaimRequest, ContainerRequest, EngineRequest, Identity, ModelRequest,
        PodForm, PodRequest, ServiceKind, ServiceRequest, ServingRequest, Settings, StorageRequest,
        StrategyRequest, WorkloadRequest,
    },
};

/// Names differ from each other on purpose, so that a swapped one shows.
pub fn request(engine: Engine, image: &str) -> ServingRequest {
    ServingRequest {
        identity: Identity {
            name: "chat-service".into(),
            namespace: "team-a".into(),
            uid: "0c5f9a5e-0000-4000-8000-000000000001".into(),
            kind: "LLMDeployment".into(),
            group: "llm.example.com".into(),
            version: "v1alpha1".into(),
        },
        name: None,
        engine: EngineRequest::Own(engine),
        form: PodForm::Own,
        model: ModelRequest {
            name: "GPT-Small".into(),
            source: None,
            credentials_secret: None,
            weights_bytes: None,
        },
        container: ContainerRequest {
            image: image.into(),
            ..ContainerRequest::default()
        },
        gpu: None,
        storage: None,
        claims: BTreeMap::new(),
        workload: WorkloadRequest::Deployment {
            replicas: Some(1),
            strategy: StrategyRequest::Automatic,
        },
        pod: PodRequest::default(),
        service: ServiceRequest {
            made: true,
            port: 8080,
            more_ports: Vec::new(),
            kind: ServiceKind::ClusterIp,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        },
        ingress: None,
        config: None,
        settings: Settings::Arguments,
        scaling: None,
        sizing: None,
        budget: BudgetRequest::Automatic,
        access: Access::Anywhere,
    }
}

/// The document's example: S2-9 and S2-10.
pub fn document_example() -> ServingRequest {
    let mut request = request(Engine::Generic, "your-registry/gpt-small:v1");
    request.container.cpu = Some("2".parse().unwrap());
    request.container.memory = Some("4Gi".parse().unwrap());
    request.workload = deployment(2, StrategyRequest::Automatic);
    request
}

pub fn deployment(replicas: i32, strategy: StrategyRequest) -> WorkloadRequest {
    WorkloadRequest::Deployment {
        replicas: Some(replicas),
        strategy,
    }
}

pub fn gpu(count: u32, product: Option<&str>, memory: Option<&str>) -> Option<GpuRequest> {
    Some(GpuRequest {
        count,
        resource: "nvidia.com/gpu".into(),
        product: product.map(Into::into),
        min_memory: memory.map(|text| text.parse().unwrap()),
    })
}

pub fn new_claim(size: &str, mode: AccessMode) -> Option<StorageRequest> {
    let claim = ClaimRequest::New {
        size: size.parse().unwrap(),
        class: None,
        mode,
    };
    Some(StorageRequest {
        claim,
        mount_path: None,
    })
}

pub fn existing_claim(name: &str) -> Option<StorageRequest> {
    Some(StorageRequest {
        claim: ClaimRequest::Existing(name.into()),
        mount_path: None,
    })
}

pub fn plan(request: ServingRequest) -> ServingPlan {
    ServingPlan::new(request).unwrap()
}

/// `path: message` of everything that is wrong.
pub fn errors(request: ServingRequest) -> Vec<String> {
    ServingPlan::new(request)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

pub fn workload(plan: &ServingPlan) -> &serving::plan::DeploymentPlan {
    match &plan.workload {
        Workload::Deployment(workload) => Some(workload),
        Workload::StatefulSet(_) | Workload::Pod { .. } => None,
    }
    .unwrap()
}
