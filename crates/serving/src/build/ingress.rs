//! The way in from outside the cluster.

use k8s_openapi::{
    api::networking::v1::{
        HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
        IngressSpec, IngressTLS, ServiceBackendPort,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::metadata::{list_unless_empty, metadata, unless_empty};
use crate::plan::{IngressPlan, ServingPlan};

/// An Ingress that leads everything under each host to the Service, when the plan has one.
pub fn ingress(plan: &ServingPlan) -> Option<Ingress> {
    let ingress = plan.ingress.as_ref()?;
    Some(Ingress {
        metadata: ObjectMeta {
            labels: Some(ingress.labels.clone()),
            annotations: unless_empty(&ingress.annotations),
            ..metadata(plan)
        },
        spec: Some(IngressSpec {
            ingress_class_name: ingress.class.clone(),
            rules: Some(ingress.hosts.iter().map(|host| rule(plan, host)).collect()),
            tls: tls(ingress),
            ..IngressSpec::default()
        }),
        status: None,
    })
}

fn rule(plan: &ServingPlan, host: &str) -> IngressRule {
    let service = IngressServiceBackend {
        name: plan.name.clone(),
        port: Some(ServiceBackendPort {
            name: None,
            number: Some(i32::from(plan.service.port)),
        }),
    };
    let path = HTTPIngressPath {
        path: Some("/".into()),
        path_type: "Prefix".into(),
        backend: IngressBackend {
            service: Some(service),
            resource: None,
        },
    };
    IngressRule {
        host: Some(host.into()),
        http: Some(HTTPIngressRuleValue { paths: vec![path] }),
    }
}

/// A rule without a host stands for all of them; a certificate names hosts, or is for all by naming none.
fn tls(ingress: &IngressPlan) -> Option<Vec<IngressTLS>> {
    let secret = ingress.tls_secret.clone()?;
    let named = ingress.hosts.iter().filter(|host| !host.is_empty()).cloned();
    Some(vec![IngressTLS {
        hosts: list_unless_empty(&named.collect::<Vec<_>>()),
        secret_name: Some(secret),
    }])
}
