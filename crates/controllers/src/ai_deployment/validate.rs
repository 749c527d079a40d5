//! Resource and resolved models in, a typed serving request out, or every field that is wrong.
//!
//! In: an `AIDeployment`, its models. Out: a [`ServingRequest`]; nothing after this step sees a raw resource. Pure.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{
    AIDeployment, DeploymentSpec, ObjectLabels, ProbeOverride as ProbeOverrideSpec,
};
use k8s_openapi::{
    api::core::v1::TopologySpreadConstraint, apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use serving::{
    engine::prem::{MODELS_VOLUME, PremRequest, ProbeOverride, ProbeOverrides},
    field_error::FieldError,
    labels::{PREM_NAME, PREM_SPREAD},
    plan::IngressPlan,
    request::{
        Additions, ContainerRequest, EngineRequest, Identity, ModelRequest, PodForm, PodRequest, ServiceKind,
        ServiceRequest, ServingRequest, Settings, StrategyRequest, WorkloadRequest,
    },
    template::{self, EnginePlace, Parsed},
};

use super::{
    container,
    engine::{self, EngineName, Generic},
    models::Resolved,
    resources::{Resources, resources},
};
use crate::{
    kinds::{AI_DEPLOYMENT, PREM_GROUP, PREM_VERSION},
    llm_deployment::validate::budget,
    parsing::{Errors, access},
    promise,
};

/// The value of the label by which all Pods with models are spread.
const SPREAD: &str = "ai-model";
/// New Pods get all that ours have; those that prem-operator made are the plan's business.
pub(super) const FORM: PodForm = PodForm::Prem(Additions::All);
const HOSTNAME: &str = "kubernetes.io/hostname";
const ANYWAY: &str = "ScheduleAnyway";

/// What the resource does not say itself.
#[derive(Debug, Clone)]
pub(super) struct Beside<'a> {
    /// Its engine.
    pub engine: EngineName,
    /// Its models.
    pub models: &'a [Resolved],
    /// So many replicas may there be while something else scales them; `None`: as many as the spec says.
    pub most_replicas: Option<i32>,
    /// The namespace in which the operator runs.
    pub operator_namespace: &'a str,
}

/// Parses the resource.
///
/// # Errors
/// Every field that cannot be used, with its path below `spec`.
pub(super) fn validate(
    resource: &AIDeployment,
    beside: &Beside<'_>,
) -> Result<ServingRequest, Vec<FieldError>> {
    let spec = &resource.spec;
    let deployment = spec.deployment.clone().unwrap_or_default();
    let endpoints = spec.endpoint.as_deref().unwrap_or_default();
    let mut errors = Errors::default();
    let parsed = errors
        .keep(parse_template(beside.engine, &deployment))
        .unwrap_or_default();
    let Parsed {
        mut pod,
        engine: first,
    } = parsed;
    if beside.engine == EngineName::Vllm {
        // prem-operator ignored the template of this engine, so what stands in the engine's way there must not stop it here.
        pod.template = pod.template.without(&[FORM.container()], &[MODELS_VOLUME]);
    }
    let resources = errors.keep_all(resources(
        &deployment,
        first.as_ref().and_then(|container| container.resources.as_ref()),
    ));
    let generic = if beside.engine == EngineName::Generic && errors.0.is_empty() {
        errors.keep_all(container::generic(first, endpoints))
    } else {
        None
    };
    errors.0.extend(one_success(&deployment));
    let budget = errors.keep(budget(spec.disruption_budget.as_ref(), beside.most_replicas));
    let access = errors.keep(access(spec.access.as_ref(), beside.operator_namespace));
    let scaling = errors.keep_all(promise::scaling(
        spec.scaling.as_ref(),
        deployment.replicas.unwrap_or(1),
    ));
    let (port, image) = port_and_image(resource, beside.engine, generic.as_ref());
    let more_ports = generic.as_ref().map(container::more_ports).unwrap_or_default();
    let config_map = format!("{}-engine-config", name(resource));
    let engine = errors.keep_all(engine::engine(
        beside.engine,
        spec.engine.as_ref(),
        beside.models,
        &config_map,
        generic,
    ));
    let (Some(resources), Some(budget), Some(access), Some((engine, config)), Some(scaling)) =
        (resources, budget, access, engine, scaling)
    else {
        return Err(errors.0);
    };
    let runtime_class = pod.runtime_class.clone();
    let pod = PodRequest {
        runtime_class: runtime_class.or(resources.runtime_class.map(str::to_owned)),
        ..pod_request(pod, &deployment)
    };
    errors.finish(ServingRequest {
        identity: identity(resource),
        name: None,
        engine: EngineRequest::Prem(Box::new(PremRequest {
            engine,
            probes: probes(&deployment),
        })),
        form: FORM,
        model: ModelRequest {
            name: model_names(beside.models),
            source: None,
            credentials_secret: None,
            weights_bytes: None,
        },
        container: container(resource, image, &resources),
        gpu: resources.gpu,
        storage: None,
        claims: BTreeMap::new(),
        workload: WorkloadRequest::Deployment {
            replicas: deployment.replicas,
            strategy: StrategyRequest::Kubernetes,
        },
        pod,
        service: service(resource, port, more_ports),
        ingress: ingress(resource),
        config,
        settings: Settings::Arguments,
        scaling,
        sizing: None,
        budget,
        access,
    })
}

/// Who owns what is made.
pub(super) fn identity(resource: &AIDeployment) -> Identity {
    crate::parsing::identity(&resource.metadata, AI_DEPLOYMENT, (PREM_GROUP, PREM_VERSION))
}

fn name(resource: &AIDeployment) -> &str {
    resource.metadata.name.as_deref().unwrap_or_default()
}

fn parse_template(engine: EngineName, deployment: &DeploymentSpec) -> Result<Parsed, FieldError> {
    let place = if engine == EngineName::Generic {
        EnginePlace::First
    } else {
        EnginePlace::Last
    };
    let template = deployment
        .template
        .as_ref()
        .filter(|template| !template.0.is_null());
    let Some(template) = template else {
        return Ok(Parsed::default());
    };
    template::parse(&template.0, place).map_err(|error| error.under("deployment"))
}

fn port_and_image(resource: &AIDeployment, engine: EngineName, generic: Option<&Generic>) -> (u16, String) {
    match (engine.facts(), generic) {
        (Some(facts), _) => (facts.port, engine::image(facts, resource.spec.engine.as_ref())),
        (None, Some(generic)) => (
            container::serving_port(generic),
            generic.container.image.clone().unwrap_or_default(),
        ),
        // There is an error already.
        (None, None) => (0, String::new()),
    }
}

fn model_names(models: &[Resolved]) -> String {
    let names = models.iter().map(|model| match (&model.config, &model.uri) {
        (None, Some(uri)) => uri.clone(),
        _ => format!("{}/{}", model.name, model.variant),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn container(resource: &AIDeployment, image: String, resources: &Resources) -> ContainerRequest {
    let mut env = resource.spec.env.clone().unwrap_or_default();
    template::last_of_each(&mut env);
    ContainerRequest {
        image,
        args: resource.spec.args.clone().unwrap_or_default(),
        env,
        requests: resources.requests.clone(),
        limits: resources.limits.clone(),
        ..ContainerRequest::default()
    }
}

/// The template's Pod with what `deployment` says over it.
fn pod_request(template: PodRequest, deployment: &DeploymentSpec) -> PodRequest {
    let mut labels = template.labels;
    labels.extend(deployment.labels.clone().unwrap_or_default());
    let mut annotations = template.annotations;
    annotations.extend(deployment.annotations.clone().unwrap_or_default());
    let mut node_selector = template.node_selector;
    node_selector.extend(deployment.node_selector.clone().unwrap_or_default());
    let mut topology_spread = template.topology_spread;
    if !labels.contains_key(PREM_SPREAD) {
        labels.insert(PREM_SPREAD.to_owned(), SPREAD.to_owned());
        // Kubernetes admits one constraint for each pair of these two.
        let same =
            |one: &TopologySpreadConstraint| one.topology_key == HOSTNAME && one.when_unsatisfiable == ANYWAY;
        if !topology_spread.iter().any(same) {
            topology_spread.push(spread());
        }
    }
    PodRequest {
        labels,
        annotations,
        node_selector,
        topology_spread,
        ..template
    }
}

/// All Pods with models, of whatever resource, are spread over nodes.
fn spread() -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: HOSTNAME.to_owned(),
        when_unsatisfiable: ANYWAY.to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some([(PREM_SPREAD.to_owned(), SPREAD.to_owned())].into()),
            match_expressions: None,
        }),
        ..TopologySpreadConstraint::default()
    }
}

fn probes(deployment: &DeploymentSpec) -> ProbeOverrides {
    let one = |probe: &Option<ProbeOverrideSpec>| {
        let number = |number: Option<i32>| number.filter(|number| *number != 0);
        probe.as_ref().map(|probe| ProbeOverride {
            // The only one of which 0 says something.
            initial_delay_seconds: probe.initial_delay_seconds,
            timeout_seconds: number(probe.timeout_seconds),
            period_seconds: number(probe.period_seconds),
            success_threshold: number(probe.success_threshold),
            failure_threshold: number(probe.failure_threshold),
            termination_grace_period_seconds: probe
                .termination_grace_period_seconds
                .filter(|number| *number != 0),
        })
    };
    ProbeOverrides {
        startup: one(&deployment.startup_probe),
        readiness: one(&deployment.readiness_probe),
        liveness: one(&deployment.liveness_probe),
    }
}

/// Of a probe that may end a container, Kubernetes takes no other number of successes than one.
fn one_success(deployment: &DeploymentSpec) -> Vec<FieldError> {
    let probes = [
        ("startupProbe", &deployment.startup_probe),
        ("livenessProbe", &deployment.liveness_probe),
    ];
    let wrong = probes.into_iter().filter(|(_, probe)| {
        let successes = probe.as_ref().and_then(|probe| probe.success_threshold);
        !matches!(successes, None | Some(0 | 1))
    });
    let error = |(name, _)| FieldError::new(format!("deployment.{name}.successThreshold"), "must be 1");
    wrong.map(error).collect()
}

fn service(resource: &AIDeployment, port: u16, more_ports: Vec<u16>) -> ServiceRequest {
    let ObjectLabels { labels, annotations } = resource.spec.service.clone().unwrap_or_default();
    ServiceRequest {
        made: true,
        port,
        more_ports,
        kind: ServiceKind::ClusterIp,
        labels: labels.unwrap_or_default(),
        annotations: annotated(resource, annotations),
    }
}

fn ingress(resource: &AIDeployment) -> Option<IngressPlan> {
    let endpoints = resource.spec.endpoint.as_deref().unwrap_or_default();
    let spec = resource.spec.ingress.clone().unwrap_or_default();
    (!endpoints.is_empty()).then(|| IngressPlan {
        hosts: endpoints.iter().map(|endpoint| endpoint.domain.clone()).collect(),
        tls_secret: (spec.tls == Some(true)).then(|| format!("{}-tls", name(resource))),
        class: spec.class_name,
        labels: spec.labels.unwrap_or_default(),
        annotations: annotated(resource, spec.annotations),
    })
}

/// A person's annotations over the one with the resource's name.
fn annotated(resource: &AIDeployment, theirs: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::from([(PREM_NAME.to_owned(), name(resource).to_owned())]);
    annotations.extend(theirs.unwrap_or_default());
    annotations
}
