//! One container of a Pod.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Container, ContainerPort, Lifecycle, LifecycleHandler, ResourceRequirements, SleepAction,
    },
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};

use super::metadata::list_unless_empty;
use crate::{
    plan::{ContainerPlan, PortPlan},
    quantity::Quantity,
};

/// A container as planned: what the plan says, and else what its template says.
pub fn container(plan: &ContainerPlan) -> Container {
    let template = plan.template.as_deref().cloned().unwrap_or_default();
    let last_words = plan.last_words.then(|| "FallbackToLogsOnError".to_owned());
    Container {
        name: plan.name.clone(),
        image: Some(plan.image.clone()),
        image_pull_policy: plan
            .pull_policy
            .map(|policy| policy.as_str().into())
            .or(template.image_pull_policy),
        command: list_unless_empty(&plan.command),
        args: list_unless_empty(&plan.args),
        env: list_unless_empty(&plan.env),
        env_from: list_unless_empty(&plan.env_from),
        ports: list_unless_empty(&plan.ports.iter().map(port).collect::<Vec<_>>()),
        resources: resources(plan, template.resources),
        startup_probe: plan.probes.startup.clone(),
        readiness_probe: plan.probes.readiness.clone(),
        liveness_probe: plan.probes.liveness.clone(),
        volume_mounts: list_unless_empty(&plan.mounts),
        security_context: plan.security.clone(),
        lifecycle: lifecycle(plan.drain_seconds, template.lifecycle),
        // The last words of a crash are in the Pod's status, where diagnosis finds them.
        termination_message_policy: template.termination_message_policy.or(last_words),
        ..template
    }
}

fn port(plan: &PortPlan) -> ContainerPort {
    ContainerPort {
        name: plan.name.map(Into::into),
        container_port: i32::from(plan.number),
        // Part of the key by which server-side apply tells ports apart.
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

/// The plan has the template's amounts already; claims on devices are left.
fn resources(plan: &ContainerPlan, template: Option<ResourceRequirements>) -> Option<ResourceRequirements> {
    let requests = quantities(&plan.requests);
    let limits = quantities(&plan.limits);
    let claims = template.and_then(|template| template.claims);
    (requests.is_some() || limits.is_some() || claims.is_some()).then_some(ResourceRequirements {
        requests,
        limits,
        claims,
    })
}

fn quantities(map: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, ApiQuantity>> {
    let quantities: BTreeMap<_, _> = map
        .iter()
        .map(|(name, quantity)| (name.clone(), quantity.to_api()))
        .collect();
    (!quantities.is_empty()).then_some(quantities)
}

/// The template's hooks; where it has none before the stop signal, a pause.
fn lifecycle(seconds: i64, template: Option<Lifecycle>) -> Option<Lifecycle> {
    if seconds == 0 {
        return template;
    }
    let mut lifecycle = template.unwrap_or_default();
    lifecycle.pre_stop.get_or_insert_with(|| LifecycleHandler {
        sleep: Some(SleepAction { seconds }),
        ..LifecycleHandler::default()
    });
    Some(lifecycle)
}
