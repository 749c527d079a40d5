//! The Pod template, the same under every workload.

use k8s_openapi::{
    api::core::v1::{LocalObjectReference, PodSpec, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    container::container,
    metadata::{list_unless_empty, unless_empty},
};
use crate::plan::ServingPlan;

/// The template of the plan's Pods.
pub fn pod_template(plan: &ServingPlan) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(plan.pod.labels.clone()),
            annotations: unless_empty(&plan.pod.annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(plan)),
    }
}

fn pod_spec(plan: &ServingPlan) -> PodSpec {
    let pod = &plan.pod;
    let init: Vec<_> = pod.init.iter().map(container).collect();
    let secrets: Vec<_> = pod
        .image_pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    PodSpec {
        containers: vec![container(&pod.engine)],
        init_containers: list_unless_empty(&init),
        volumes: list_unless_empty(&pod.volumes),
        node_selector: unless_empty(&pod.placement.node_selector),
        tolerations: list_unless_empty(&pod.placement.tolerations),
        affinity: pod.placement.affinity.clone(),
        topology_spread_constraints: list_unless_empty(&pod.placement.topology_spread),
        security_context: Some(pod.security.clone()),
        image_pull_secrets: list_unless_empty(&secrets),
        priority_class_name: pod.priority_class.clone(),
        runtime_class_name: pod.runtime_class.clone(),
        termination_grace_period_seconds: Some(pod.grace_period_seconds),
        // Models need no access to the API, and no variables for every Service of the namespace.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        ..PodSpec::default()
    }
}
