//! [`ServingPlan::new`]: every decision, in order.
//!
//! In: a request. Out: the plan, or everything that is wrong with the request. It reads from top to bottom and leaves
//! each decision to the module that owns it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, Probe};

use super::{
    ContainerPlan, DeploymentPlan, IngressPlan, PodPlan, PortPlan, ServicePlan, ServingPlan, StatefulSetPlan,
    Workload,
    check::check,
    ending::{drain_seconds, grace_period},
    placement::placement,
    rollout,
    scaling::ScalingPlan,
    security::{engine_security, pod_security},
    settings::settings,
    weights::{self, Sharing, Weights},
};
use crate::{
    engine::{self, EnginePlan, env},
    field_error::FieldError,
    labels,
    load_time::load_time,
    quantity::Quantity,
    request::{Additions, PodForm, ServingRequest, WorkloadRequest},
    source::ModelSource,
};

/// Kubernetes' own seconds between probes, and failures that count as one.
const DEFAULT_PERIOD_SECONDS: i32 = 10;
const DEFAULT_FAILURES: i32 = 3;

impl ServingPlan {
    /// Decides everything.
    pub fn new(request: ServingRequest) -> Result<Self, Vec<FieldError>> {
        let mut errors = check(&request);
        let weights = weights(&request);
        let port = request.container.port.unwrap_or(request.service.port);
        let engine = match engine::plan(&request, weights, port) {
            Ok(engine) => with_decided_args(engine, &request),
            Err(wrong) => {
                errors.extend(wrong);
                return Err(errors);
            }
        };
        let (engine, settings) = settings(&request, engine);
        check_names(&request, &engine, &mut errors);
        let selector = labels::selector(&request.identity, request.form);
        let labels = labels::children(&request.identity, request.engine.as_str());
        let workload = workload(&request, &engine, &mut errors);
        let budget = rollout::budget(&request.budget, most(&request), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let service_labels = labels::of_object(&request.service.labels, &labels, request.form);
        let claim = match &workload {
            // Each Pod has its own.
            Workload::StatefulSet(_) => None,
            Workload::Deployment(_) | Workload::Pod { .. } => engine.weights.claim.clone(),
        };
        let open_ports = open_ports(&request, &engine);
        let ingress = request.ingress.clone().map(|ingress| IngressPlan {
            labels: labels::of_object(&ingress.labels, &labels, request.form),
            ..ingress
        });
        let pod_as_found = as_found(&request).map(|request| {
            // The engine is asked once more, since it adds to its loaders as well.
            let engine = engine::plan(&request, Weights::of(&request), port)?;
            Ok::<_, Vec<FieldError>>(Box::new(pod(&request, engine, port, &selector, &labels)))
        });
        let pod_as_found = pod_as_found.transpose()?;
        let pod = pod(&request, engine, port, &selector, &labels);
        Ok(Self {
            name: request.child_name().to_owned(),
            identity: request.identity,
            labels,
            selector,
            workload,
            pod,
            pod_as_found,
            service: ServicePlan {
                made: request.service.made,
                port: request.service.port,
                port_name: request.form.port_name(),
                more_ports: request.service.more_ports,
                kind: request.service.kind,
                labels: service_labels,
                annotations: request.service.annotations,
            },
            ingress,
            config: request.config.or(settings),
            access: request.access,
            open_ports,
            budget,
            claim,
            scaling: request.scaling,
            sizing: request.sizing,
            gpu: request.gpu,
            model_name: request.model.name,
            source: request.model.source,
        })
    }
}

/// The engine, told what the kind decided too.
fn with_decided_args(mut engine: EnginePlan, request: &ServingRequest) -> EnginePlan {
    engine.args.extend(request.container.engine_args.iter().cloned());
    engine
}

fn weights(request: &ServingRequest) -> Weights {
    let weights = Weights::of(request);
    match request.workload {
        WorkloadRequest::Pod { .. } => weights.for_one_pod(),
        // The volume is the Pod's own when each gets a claim, and shared like any other when there is one for all.
        WorkloadRequest::StatefulSet { .. } if weights.claim.is_some() => weights.for_one_pod(),
        WorkloadRequest::StatefulSet { .. } | WorkloadRequest::Deployment { .. } => weights,
    }
}

/// The same request without additions, where the form is another operator's.
fn as_found(request: &ServingRequest) -> Option<ServingRequest> {
    (request.form == PodForm::Prem(Additions::All)).then(|| ServingRequest {
        form: PodForm::Prem(Additions::Nothing),
        ..request.clone()
    })
}

/// What the engine brings must not have the name of something in the template.
fn check_names(request: &ServingRequest, engine: &EnginePlan, errors: &mut Vec<FieldError>) {
    let init = engine.init.iter().map(|init| init.name.as_str());
    let containers: Vec<&str> = init.chain([request.container_name()]).collect();
    let volumes: Vec<&str> = engine.volumes.iter().map(|volume| volume.name.as_str()).collect();
    errors.extend(request.pod.template.clashes(&containers, &volumes));
}

/// What else a template's containers listen on nobody knows; then every port is open.
fn open_ports(request: &ServingRequest, engine: &EnginePlan) -> Option<Vec<u16>> {
    let template = &request.pod.template;
    let stays = |init: &Container| init.restart_policy.is_some();
    let alone = template.before.is_empty() && template.after.is_empty() && !template.init.iter().any(stays);
    engine.extras.open_ports.clone().filter(|_| alone)
}

fn workload(request: &ServingRequest, engine: &EnginePlan, errors: &mut Vec<FieldError>) -> Workload {
    match &request.workload {
        WorkloadRequest::Pod { ends } => Workload::Pod { ends: *ends },
        WorkloadRequest::StatefulSet { replicas } => {
            rollout::check_sharing(most(request), &engine.weights.sharing, errors);
            let claim = engine.weights.claim.clone();
            Workload::StatefulSet(StatefulSetPlan {
                replicas: *replicas,
                headless_service: format!("{}-headless", request.child_name()),
                claim: claim.map(|claim| (weights::VOLUME.to_owned(), claim)),
            })
        }
        WorkloadRequest::Deployment { replicas, strategy } => Workload::Deployment(DeploymentPlan {
            replicas: *replicas,
            strategy: rollout::strategy(strategy, most(request), &engine.weights.sharing, errors),
            progress_deadline_seconds: deadline(request, engine),
        }),
    }
}

/// Pods that there may be, as far as the request says it.
fn most(request: &ServingRequest) -> i32 {
    let scaling = request.scaling.filter(ScalingPlan::active);
    scaling.map_or(0, |scaling| scaling.most).max(replicas(request))
}

/// Pods at a time, as far as the request says it.
fn replicas(request: &ServingRequest) -> i32 {
    match &request.workload {
        WorkloadRequest::Pod { .. } => 1,
        WorkloadRequest::StatefulSet { replicas } => *replicas,
        WorkloadRequest::Deployment { replicas, .. } => replicas.unwrap_or(1),
    }
}

/// No earlier than the startup probe gives up: a rollout must not be called failed while loading is still allowed.
fn deadline(request: &ServingRequest, engine: &EnginePlan) -> i32 {
    let budget = load_time(request, !engine.init.is_empty());
    let theirs = request.container.startup_probe.as_ref();
    let probe = theirs.or(engine.probes.startup.as_ref());
    probe.map_or(budget.rollout_seconds, |probe| {
        budget.rollout_after(patience(probe))
    })
}

/// Seconds until the probe gives up.
fn patience(probe: &Probe) -> i32 {
    let period = probe.period_seconds.unwrap_or(DEFAULT_PERIOD_SECONDS);
    let failures = probe.failure_threshold.unwrap_or(DEFAULT_FAILURES);
    let delay = probe.initial_delay_seconds.unwrap_or(0);
    period.saturating_mul(failures).saturating_add(delay)
}

fn pod(
    request: &ServingRequest,
    engine: EnginePlan,
    port: u16,
    selector: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> PodPlan {
    let wanted = &request.pod;
    let form = request.form;
    let mut pod_labels = match form {
        PodForm::Own => merged(&wanted.labels, labels),
        PodForm::Prem(_) => merged(&wanted.labels, selector),
    };
    if let Sharing::OneNode(claim) = &engine.weights.sharing {
        pod_labels.insert(labels::CLAIM.into(), claim.clone());
    }
    let placement = placement(request, selector, &engine.weights.sharing);
    let mut image_pull_secrets = wanted.image_pull_secrets.clone();
    image_pull_secrets
        .extend(oci_secret(request).filter(|secret| !wanted.image_pull_secrets.contains(secret)));
    if image_pull_secrets.is_empty() {
        image_pull_secrets.extend(engine.extras.pull_secret.map(str::to_owned));
    }
    let mut annotations = wanted.annotations.clone();
    annotations.extend(engine.extras.annotations.clone());
    // A StatefulSet brings the volume of a claim that each Pod has for itself.
    let brought =
        engine.weights.claim.is_some() && matches!(request.workload, WorkloadRequest::StatefulSet { .. });
    let weights = engine.weights.volume.iter().filter(|_| !brought);
    let volumes = weights.chain(&engine.volumes).cloned().collect();
    PodPlan {
        form,
        labels: pod_labels,
        annotations,
        init: engine
            .init
            .iter()
            .map(|init| with_cpu_and_memory(init, request))
            .collect(),
        volumes,
        placement,
        security: if form.adds() {
            Some(pod_security(engine.user, wanted.security.as_ref()))
        } else {
            wanted.security.clone()
        },
        image_pull_secrets,
        priority_class: wanted.priority_class.clone(),
        runtime_class: wanted.runtime_class.clone(),
        grace_period_seconds: grace_period(request),
        template: wanted.template.clone(),
        engine: engine_container(request, engine, port, drain_seconds(request)),
    }
}

fn engine_container(
    request: &ServingRequest,
    engine: EnginePlan,
    port: u16,
    drain_seconds: i64,
) -> ContainerPlan {
    let (wanted, form) = (&request.container, request.form);
    let template = engine.extras.container;
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
    requests.extend(wanted.requests.clone());
    limits.extend(wanted.limits.clone());
    // Where a form is another operator's, its amounts say it already, in the way in which that operator said it.
    if let Some(gpu) = request.gpu.as_ref().filter(|_| form == PodForm::Own) {
        requests.insert(gpu.resource.clone(), Quantity::from_units(gpu.count));
        limits.insert(gpu.resource.clone(), Quantity::from_units(gpu.count));
    }
    let theirs = template
        .as_ref()
        .and_then(|template| template.security_context.as_ref());
    let theirs = theirs.or(wanted.security.as_ref());
    ContainerPlan {
        name: request.container_name().into(),
        image: wanted.image.clone(),
        pull_policy: wanted.pull_policy.or(engine.extras.pull_policy),
        command,
        args,
        env: variables(request, engine.env, port),
        env_from,
        ports: match form.port_name() {
            Some(name) => vec![PortPlan {
                name: Some(name),
                number: port,
            }],
            None => engine
                .extras
                .declared_ports
                .iter()
                .map(|number| PortPlan {
                    name: None,
                    number: *number,
                })
                .collect(),
        },
        requests,
        limits,
        probes: super::ProbesPlan {
            startup: wanted.startup_probe.clone().or(engine.probes.startup),
            readiness: wanted.readiness_probe.clone().or(engine.probes.readiness),
            liveness: wanted.liveness_probe.clone().or(engine.probes.liveness),
        },
        mounts,
        security: if form.adds() {
            Some(engine_security(engine.user, theirs))
        } else {
            theirs.cloned()
        },
        drain_seconds: if form.adds() { drain_seconds } else { 0 },
        last_words: form.adds(),
        template,
    }
}

/// A person's variables and the engine's. Ours: the engine's come first, and a person's win. prem-operator's: a person's come first,
/// and the engine's win, as the last of two of one name does.
fn variables(request: &ServingRequest, engine: Vec<EnvVar>, port: u16) -> Vec<EnvVar> {
    let theirs = &request.container.env;
    match request.form {
        PodForm::Own => {
            let mut ours = vec![
                env::value("PORT", &port.to_string()),
                env::value("MODEL_NAME", &request.model.name),
            ];
            ours.extend(engine);
            without(ours, theirs).chain(theirs.iter().cloned()).collect()
        }
        PodForm::Prem(_) => without(theirs.clone(), &engine)
            .chain(engine.iter().cloned())
            .collect(),
    }
}

/// `variables` but those of which `others` has the name.
fn without(variables: Vec<EnvVar>, others: &[EnvVar]) -> impl Iterator<Item = EnvVar> {
    variables
        .into_iter()
        .filter(|one| others.iter().all(|other| other.name != one.name))
}

/// A loader may use what the engine will use anyway: a quota counts the larger of both, not their sum.
fn with_cpu_and_memory(init: &ContainerPlan, request: &ServingRequest) -> ContainerPlan {
    if !request.form.adds() {
        return init.clone();
    }
    let (mut requests, mut limits) = cpu_and_memory(request);
    let own =
        |(name, _): &(&String, &Quantity)| matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
    let more = |all: &Amounts| {
        all.iter()
            .filter(own)
            .map(|(name, amount)| (name.clone(), *amount))
            .collect::<Amounts>()
    };
    requests.extend(more(&request.container.requests));
    limits.extend(more(&request.container.limits));
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
