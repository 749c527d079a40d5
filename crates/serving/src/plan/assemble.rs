//! [`ServingPlan::new`]: every decision, in order.
//!
//! In: a request. Out: the plan, or everything that is wrong with the request. It reads from top to bottom and leaves
//! each decision to the module that owns it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::EnvVar;

use super::{
    ContainerPlan, DeploymentPlan, ENGINE_CONTAINER, PodPlan, ServicePlan, ServingPlan, Workload,
    check::check,
    placement::placement,
    rollout,
    security::{engine_security, pod_security},
    weights::{Sharing, Weights},
};
use crate::{
    engine::{self, EnginePlan, env},
    field_error::FieldError,
    labels,
    load_time::load_time,
    quantity::Quantity,
    request::{ServingRequest, WorkloadRequest},
    source::ModelSource,
};

/// Seconds between the stop signal and the kill when nothing is said: longer than most answers take.
const GRACE_SECONDS: i64 = 60;
/// Seconds in which proxies and kube-proxy learn that a Pod goes, before its engine is told.
const DRAIN_SECONDS: i64 = 5;

impl ServingPlan {
    /// Decides everything.
    pub fn new(request: ServingRequest) -> Result<Self, Vec<FieldError>> {
        let mut errors = check(&request);
        let weights = Weights::of(&request);
        let port = request.container.port.unwrap_or(request.service.port);
        let engine = match engine::plan(&request, weights, port) {
            Ok(engine) => engine,
            Err(wrong) => {
                errors.extend(wrong);
                return Err(errors);
            }
        };
        let selector = labels::selector(&request.identity);
        let labels = labels::children(&request.identity, request.engine.as_str());
        let workload = workload(&request, &engine, &mut errors);
        let WorkloadRequest::Deployment { replicas, .. } = &request.workload;
        let budget = rollout::budget(&request.budget, *replicas, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let service_labels = merged(&request.service.labels, &labels);
        let claim = engine.weights.claim.clone();
        let pod = pod(&request, engine, port, &selector, &labels);
        Ok(Self {
            identity: request.identity,
            labels,
            selector,
            workload,
            pod,
            service: ServicePlan {
                port: request.service.port,
                kind: request.service.kind,
                labels: service_labels,
                annotations: request.service.annotations,
            },
            ingress: None,
            config: None,
            access: request.access,
            budget,
            claim,
            gpu: request.gpu,
            model_name: request.model.name,
        })
    }

    /// Leaves the number of replicas to something else; the children no longer have the field.
    pub fn release_replicas(&mut self) {
        let Workload::Deployment(deployment) = &mut self.workload;
        deployment.replicas = None;
    }
}

fn workload(request: &ServingRequest, engine: &EnginePlan, errors: &mut Vec<FieldError>) -> Workload {
    let WorkloadRequest::Deployment { replicas, strategy } = &request.workload;
    Workload::Deployment(DeploymentPlan {
        replicas: Some(*replicas),
        strategy: rollout::strategy(strategy, *replicas, &engine.weights.sharing, errors),
        progress_deadline_seconds: load_time(request, !engine.init.is_empty()).rollout_seconds,
    })
}

fn pod(
    request: &ServingRequest,
    engine: EnginePlan,
    port: u16,
    selector: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> PodPlan {
    let wanted = &request.pod;
    let mut pod_labels = merged(&wanted.labels, labels);
    if let Sharing::OneNode(claim) = &engine.weights.sharing {
        pod_labels.insert(labels::CLAIM.into(), claim.clone());
    }
    let grace_period_seconds = wanted.grace_period_seconds.unwrap_or(GRACE_SECONDS);
    let placement = placement(request, selector, &engine.weights.sharing);
    let mut image_pull_secrets = wanted.image_pull_secrets.clone();
    image_pull_secrets
        .extend(oci_secret(request).filter(|secret| !wanted.image_pull_secrets.contains(secret)));
    let volumes = engine
        .weights
        .volume
        .iter()
        .chain(&engine.volumes)
        .cloned()
        .collect();
    PodPlan {
        labels: pod_labels,
        annotations: wanted.annotations.clone(),
        init: engine
            .init
            .iter()
            .map(|init| with_cpu_and_memory(init, request))
            .collect(),
        volumes,
        placement,
        security: pod_security(engine.user, wanted.security.as_ref()),
        image_pull_secrets,
        priority_class: wanted.priority_class.clone(),
        runtime_class: wanted.runtime_class.clone(),
        grace_period_seconds,
        engine: engine_container(request, engine, port, DRAIN_SECONDS.min(grace_period_seconds / 2)),
    }
}

fn engine_container(
    request: &ServingRequest,
    engine: EnginePlan,
    port: u16,
    drain_seconds: i64,
) -> ContainerPlan {
    let wanted = &request.container;
    let own = vec![
        env::value("PORT", &port.to_string()),
        env::value("MODEL_NAME", &request.model.name),
    ];
    let mut env_from = engine.env_from;
    env_from.extend(wanted.env_from.iter().cloned());
    let mounts = engine.weights.mounts().into_iter().chain(engine.mounts).collect();
    let (command, args) = if wanted.command.is_empty() {
        (
            engine.command,
            engine
                .args
                .into_iter()
                .chain(wanted.args.iter().cloned())
                .collect(),
        )
    } else {
        (wanted.command.clone(), wanted.args.clone())
    };
    let (mut requests, mut limits) = cpu_and_memory(request);
    if let Some(gpu) = &request.gpu {
        requests.insert(gpu.resource.clone(), Quantity::from_units(gpu.count));
        limits.insert(gpu.resource.clone(), Quantity::from_units(gpu.count));
    }
    ContainerPlan {
        name: ENGINE_CONTAINER.into(),
        image: wanted.image.clone(),
        pull_policy: wanted.pull_policy,
        command,
        args,
        env: with_theirs(own.into_iter().chain(engine.env).collect(), &wanted.env),
        env_from,
        port: Some(port),
        requests,
        limits,
        probes: super::ProbesPlan {
            startup: wanted.startup_probe.clone().or(engine.probes.startup),
            readiness: wanted.readiness_probe.clone().or(engine.probes.readiness),
            liveness: wanted.liveness_probe.clone().or(engine.probes.liveness),
        },
        mounts,
        security: engine_security(engine.user, wanted.security.as_ref()),
        drain_seconds,
    }
}

/// A loader may use what the engine will use anyway: a quota counts the larger of both, not their sum.
fn with_cpu_and_memory(init: &ContainerPlan, request: &ServingRequest) -> ContainerPlan {
    let (requests, limits) = cpu_and_memory(request);
    ContainerPlan {
        requests,
        limits,
        ..init.clone()
    }
}

type Amounts = BTreeMap<String, Quantity>;

/// Memory is request and limit, so that a replica is never killed for what a neighbour takes; cpu is a request only, so that it is
/// never throttled on an idle node.
fn cpu_and_memory(request: &ServingRequest) -> (Amounts, Amounts) {
    let memory = request
        .container
        .memory
        .map(|memory| ("memory".to_owned(), memory));
    let cpu = request.container.cpu.map(|cpu| ("cpu".to_owned(), cpu));
    (
        cpu.into_iter().chain(memory.clone()).collect(),
        memory.into_iter().collect(),
    )
}

/// The engine's variables, replaced and followed by a person's.
fn with_theirs(ours: Vec<EnvVar>, theirs: &[EnvVar]) -> Vec<EnvVar> {
    let kept = ours
        .into_iter()
        .filter(|our| theirs.iter().all(|their| their.name != our.name));
    kept.chain(theirs.iter().cloned()).collect()
}

fn oci_secret(request: &ServingRequest) -> Option<String> {
    let oci = matches!(request.model.source, Some(ModelSource::Oci { .. }));
    request.model.credentials_secret.clone().filter(|_| oci)
}

/// `theirs` with `ours`, which win.
fn merged(theirs: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = theirs.clone();
    all.extend(ours.clone());
    all
}
