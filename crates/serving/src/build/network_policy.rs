//! Who may talk to the Pods, and to whom they may talk.
//!
//! Ingress: the serving port only. Egress: everything but the clouds' metadata addresses, through which a container
//! could take its node's identity. In-cluster peers are named by selector as well, because some network plugins
//! do not count Pods among the addresses of a block.

use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::metadata::{guard, selector};
use crate::{labels::OPERATOR, plan::ServingPlan, request::Access};

/// The policy of the plan's Pods.
pub fn network_policy(plan: &ServingPlan) -> NetworkPolicy {
    NetworkPolicy {
        metadata: guard(plan),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(plan)),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                ports: ports(plan),
                from: sources(&plan.access),
            }]),
            egress: Some(vec![
                NetworkPolicyEgressRule {
                    ports: None,
                    to: Some(destinations()),
                },
                node_local_dns(),
            ]),
        }),
    }
}

/// The serving port, and those that the plan opens beside it; `None`: every port.
fn ports(plan: &ServingPlan) -> Option<Vec<NetworkPolicyPort>> {
    let by_number = |number: u16| IntOrString::Int(i32::from(number));
    let serving = match plan.service.port_name {
        Some(name) => IntOrString::String(name.into()),
        None => by_number(plan.service.port),
    };
    let others = plan.open_ports.as_ref()?.iter();
    let others = others
        .chain(&plan.service.more_ports)
        .filter(|number| **number != plan.service.port)
        .copied()
        .map(by_number);
    let ports = [serving].into_iter().chain(others).map(|port| NetworkPolicyPort {
        port: Some(port),
        protocol: Some("TCP".into()),
        end_port: None,
    });
    Some(ports.collect())
}

fn sources(access: &Access) -> Option<Vec<NetworkPolicyPeer>> {
    match access {
        Access::Anywhere => None,
        Access::From {
            peers,
            operator_namespace,
        } => {
            let mut from = peers.clone();
            from.push(operator(operator_namespace));
            Some(from)
        }
    }
}

fn operator(namespace: &str) -> NetworkPolicyPeer {
    let labels = |key: &str, value: &str| {
        Some(LabelSelector {
            match_labels: Some([(key.to_owned(), value.to_owned())].into()),
            match_expressions: None,
        })
    };
    NetworkPolicyPeer {
        namespace_selector: labels("kubernetes.io/metadata.name", namespace),
        pod_selector: labels("app", OPERATOR),
        ip_block: None,
    }
}

/// The DNS cache on many clusters' nodes has an address among the metadata addresses.
fn node_local_dns() -> NetworkPolicyEgressRule {
    let port = |protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(53)),
        protocol: Some(protocol.into()),
        end_port: None,
    };
    NetworkPolicyEgressRule {
        ports: Some(vec![port("UDP"), port("TCP")]),
        to: Some(vec![NetworkPolicyPeer {
            ip_block: Some(IPBlock {
                cidr: "169.254.20.10/32".into(),
                except: None,
            }),
            ..NetworkPolicyPeer::default()
        }]),
    }
}

fn destinations() -> Vec<NetworkPolicyPeer> {
    let block = |cidr: &str, except: &str| NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.into(),
            except: Some(vec![except.into()]),
        }),
        ..NetworkPolicyPeer::default()
    };
    let every_pod = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    vec![
        every_pod,
        block("0.0.0.0/0", "169.254.0.0/16"),
        block("::/0", "fd00:ec2::254/128"),
    ]
}
