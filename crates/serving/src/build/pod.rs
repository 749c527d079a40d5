//! The Pod, the same under every workload: as a template, or by itself.

use k8s_openapi::{
    api::core::v1::{LocalObjectReference, Pod, PodSpec, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    container::container,
    metadata::{list_unless_empty, metadata, unless_empty},
};
use crate::{
    plan::{PodPlan, ServingPlan},
    request::PodForm,
};

/// One Pod by itself; `ends`: it is not restarted.
pub fn pod(plan: &ServingPlan, ends: bool) -> Pod {
    let pod = &plan.pod;
    Pod {
        metadata: ObjectMeta {
            labels: Some(pod.labels.clone()),
            annotations: unless_empty(&pod.annotations),
            ..metadata(plan)
        },
        spec: Some(PodSpec {
            restart_policy: ends.then(|| "Never".into()),
            ..pod_spec(pod)
        }),
        status: None,
    }
}

/// The template of planned Pods.
pub fn pod_template(pod: &PodPlan) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod.labels.clone()),
            annotations: unless_empty(&pod.annotations),
            ..pod.template.metadata.clone()
        }),
        spec: Some(pod_spec(pod)),
    }
}

fn pod_spec(pod: &PodPlan) -> PodSpec {
    let template = &pod.template;
    let ours = pod.init.iter().map(container);
    let init: Vec<_> = template.init.iter().cloned().chain(ours).collect();
    let containers = template.before.iter().cloned();
    let containers = containers.chain([container(&pod.engine)]);
    let volumes: Vec<_> = template.volumes.iter().chain(&pod.volumes).cloned().collect();
    let secrets: Vec<_> = pod
        .image_pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    PodSpec {
        containers: containers.chain(template.after.iter().cloned()).collect(),
        init_containers: list_unless_empty(&init),
        volumes: list_unless_empty(&volumes),
        node_selector: unless_empty(&pod.placement.node_selector),
        tolerations: list_unless_empty(&pod.placement.tolerations),
        affinity: pod.placement.affinity.clone(),
        topology_spread_constraints: list_unless_empty(&pod.placement.topology_spread),
        security_context: pod.security.clone(),
        image_pull_secrets: list_unless_empty(&secrets),
        priority_class_name: pod.priority_class.clone(),
        runtime_class_name: pod.runtime_class.clone(),
        termination_grace_period_seconds: pod.grace_period_seconds,
        // Models need no access to the API,
        automount_service_account_token: Some(false),
        // and no variables for every Service of the namespace, unless another operator's manifests may count on them.
        enable_service_links: match pod.form {
            PodForm::Own => Some(false),
            PodForm::Prem(_) => template.rest.enable_service_links,
        },
        ..template.rest.clone()
    }
}
