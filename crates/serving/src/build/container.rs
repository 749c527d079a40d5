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
    plan::{ContainerPlan, PORT_NAME},
    quantity::Quantity,
};

/// A container as planned.
pub fn container(plan: &ContainerPlan) -> Container {
    Container {
        name: plan.name.clone(),
        image: Some(plan.image.clone()),
        image_pull_policy: plan.pull_policy.map(|policy| policy.as_str().into()),
        command: list_unless_empty(&plan.command),
        args: list_unless_empty(&plan.args),
        env: list_unless_empty(&plan.env),
        env_from: list_unless_empty(&plan.env_from),
        ports: plan.port.map(|port| vec![port_named(port)]),
        resources: resources(plan),
        startup_probe: plan.probes.startup.clone(),
        readiness_probe: plan.probes.readiness.clone(),
        liveness_probe: plan.probes.liveness.clone(),
        volume_mounts: list_unless_empty(&plan.mounts),
        security_context: Some(plan.security.clone()),
        lifecycle: (plan.drain_seconds > 0).then(|| drain(plan.drain_seconds)),
        // The last words of a crash are in the Pod's status, where diagnosis finds them.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

fn port_named(port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(PORT_NAME.into()),
        container_port: i32::from(port),
        // Part of the key by which server-side apply tells ports apart.
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

fn resources(plan: &ContainerPlan) -> Option<ResourceRequirements> {
    let requests = quantities(&plan.requests);
    let limits = quantities(&plan.limits);
    (requests.is_some() || limits.is_some()).then_some(ResourceRequirements {
        requests,
        limits,
        claims: None,
    })
}

fn quantities(map: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, ApiQuantity>> {
    let quantities: BTreeMap<_, _> = map
        .iter()
        .map(|(name, quantity)| (name.clone(), quantity.to_api()))
        .collect();
    (!quantities.is_empty()).then_some(quantities)
}

fn drain(seconds: i64) -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction { seconds }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}
