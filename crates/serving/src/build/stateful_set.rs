//! The StatefulSet, and the Service that gives each of its Pods a name.

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec},
        core::v1::{PersistentVolumeClaim, Service, ServicePort, ServiceSpec},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};

use super::{
    claim::claim_spec,
    metadata::{metadata, selector},
    pod::pod_template,
};
use crate::plan::{ClaimPlan, PORT_NAME, ServingPlan, StatefulSetPlan};

/// A StatefulSet of the plan's Pods.
pub fn stateful_set(plan: &ServingPlan, workload: &StatefulSetPlan) -> StatefulSet {
    let claim = workload.claim.as_ref();
    StatefulSet {
        metadata: metadata(plan),
        spec: Some(StatefulSetSpec {
            replicas: Some(workload.replicas),
            selector: selector(plan),
            service_name: Some(workload.headless_service.clone()),
            // Models load side by side; and an update need not wait for a broken Pod, which would hold up its own repair.
            pod_management_policy: Some("Parallel".into()),
            template: pod_template(&plan.pod),
            volume_claim_templates: claim.map(|(name, claim)| vec![claim_template(plan, name, claim)]),
            // A replica that comes back finds its weights; with the resource all of them go.
            persistent_volume_claim_retention_policy: claim.map(|_| {
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: Some("Delete".into()),
                    when_scaled: Some("Retain".into()),
                }
            }),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn claim_template(plan: &ServingPlan, volume: &str, claim: &ClaimPlan) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(volume.to_owned()),
            labels: Some(plan.selector.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(claim_spec(claim)),
        status: None,
    }
}

/// A Service without an address: `<pod>.<service>` is a Pod's own name, also while it loads.
pub fn headless_service(plan: &ServingPlan, workload: &StatefulSetPlan) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(workload.headless_service.clone()),
            ..metadata(plan)
        },
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: Some(plan.selector.clone()),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.into()),
                port: i32::from(plan.service.port),
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String(PORT_NAME.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
