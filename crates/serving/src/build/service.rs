//! The Service for clients.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};

use super::metadata::{metadata, unless_empty};
use crate::plan::{PORT_NAME, ServicePlan, ServingPlan};

/// A Service in front of the ready Pods.
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
            ports: Some(ports(service)),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Kubernetes wants names where there are several.
fn ports(service: &ServicePlan) -> Vec<ServicePort> {
    let several = !service.more_ports.is_empty();
    let main = ServicePort {
        name: service.port_name.or(several.then_some(PORT_NAME)).map(Into::into),
        target_port: Some(service.port_name.map_or_else(
            || IntOrString::Int(i32::from(service.port)),
            |name| IntOrString::String(name.into()),
        )),
        ..port(service.port)
    };
    let more = service.more_ports.iter().map(|number| ServicePort {
        name: Some(format!("{PORT_NAME}-{number}")),
        target_port: Some(IntOrString::Int(i32::from(*number))),
        ..port(*number)
    });
    [main].into_iter().chain(more).collect()
}

fn port(number: u16) -> ServicePort {
    ServicePort {
        port: i32::from(number),
        // Part of the key by which server-side apply tells ports apart.
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}
