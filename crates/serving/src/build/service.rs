//! The Service for clients.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};

use super::metadata::{metadata, unless_empty};
use crate::plan::ServingPlan;

/// A Service with one port, in front of the ready Pods.
pub fn service(plan: &ServingPlan) -> Service {
    let service = &plan.service;
    Service {
        metadata: ObjectMeta {
            labels: Some(service.labels.clone()),
            annotations: unless_empty(&service.annotations),
            ..metadata(plan)
        },
        spec: Some(ServiceSpec {
            type_: Some(service.kind.as_str().into()),
            selector: Some(plan.selector.clone()),
            ports: Some(vec![ServicePort {
                name: service.port_name.map(Into::into),
                port: i32::from(service.port),
                // Part of the key by which server-side apply tells ports apart.
                protocol: Some("TCP".into()),
                target_port: Some(service.port_name.map_or_else(
                    || IntOrString::Int(i32::from(service.port)),
                    |name| IntOrString::String(name.into()),
                )),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
