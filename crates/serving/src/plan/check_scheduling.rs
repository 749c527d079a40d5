//! What the API server would refuse in tolerations, spreading, peers and names.
//!
//! In: a request. Out: everything that is wrong, by field. The shapes are Kubernetes' own; our schema passes them through, so their
//! rules are checked here, where a person reads the answer in the status of the resource and not in a log.

use std::net::IpAddr;

use k8s_openapi::api::{
    core::v1::{Toleration, TopologySpreadConstraint},
    networking::v1::{IPBlock, NetworkPolicyPeer},
};

use crate::{
    field_error::FieldError,
    labels::{is_dns_subdomain, is_label_value, is_qualified_name},
    request::{Access, ClaimRequest, ServingRequest},
};

/// Checks what decides where Pods run and who reaches them.
pub fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    for (index, toleration) in request.pod.tolerations.iter().enumerate() {
        report(
            format!("tolerations[{index}]"),
            toleration_problem(toleration),
            errors,
        );
    }
    for (index, constraint) in request.pod.topology_spread.iter().enumerate() {
        report(
            format!("topologySpreadConstraints[{index}]"),
            spread_problem(constraint),
            errors,
        );
    }
    if let Access::From { peers, .. } = &request.access {
        for (index, peer) in peers.iter().enumerate() {
            report(format!("access.from[{index}]"), peer_problem(peer), errors);
        }
    }
    names(request, errors);
}

fn report(path: String, problem: Option<&str>, errors: &mut Vec<FieldError>) {
    errors.extend(problem.map(|problem| FieldError::new(path, problem)));
}

fn toleration_problem(toleration: &Toleration) -> Option<&'static str> {
    let operator = toleration.operator.as_deref().unwrap_or("Equal");
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    if !matches!(operator, "" | "Equal" | "Exists") {
        Some("operator must be Equal or Exists")
    } else if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
        Some("effect must be NoSchedule, PreferNoSchedule or NoExecute, or be left out for all three")
    } else if key.is_empty() && operator != "Exists" {
        Some("without a key the operator must be Exists, which tolerates everything")
    } else if !key.is_empty() && !is_qualified_name(key) {
        Some("key is no valid key of a taint")
    } else if operator == "Exists" && !value.is_empty() {
        Some("operator Exists takes no value")
    } else if !is_label_value(value) {
        Some("value is no valid value of a taint")
    } else if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        Some("tolerationSeconds needs effect NoExecute")
    } else {
        None
    }
}

fn spread_problem(constraint: &TopologySpreadConstraint) -> Option<&'static str> {
    if constraint.max_skew < 1 {
        Some("maxSkew must be 1 or more")
    } else if !is_qualified_name(&constraint.topology_key) {
        Some("topologyKey must be a label of nodes, such as topology.kubernetes.io/zone")
    } else if !matches!(
        constraint.when_unsatisfiable.as_str(),
        "DoNotSchedule" | "ScheduleAnyway"
    ) {
        Some("whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway")
    } else if constraint
        .min_domains
        .is_some_and(|domains| domains < 1 || constraint.when_unsatisfiable != "DoNotSchedule")
    {
        Some("minDomains must be 1 or more and needs whenUnsatisfiable: DoNotSchedule")
    } else {
        None
    }
}

fn peer_problem(peer: &NetworkPolicyPeer) -> Option<&'static str> {
    let selects = peer.namespace_selector.is_some() || peer.pod_selector.is_some();
    match &peer.ip_block {
        None if !selects => Some("names nobody; give ipBlock, namespaceSelector or podSelector"),
        Some(_) if selects => Some("ipBlock cannot be combined with a selector; make two peers"),
        Some(block) if !is_block(block) => {
            Some("ipBlock must have a cidr such as 10.0.0.0/8, and exceptions inside it")
        }
        _ => None,
    }
}

fn is_block(block: &IPBlock) -> bool {
    let Some((outer, outer_len)) = cidr(&block.cidr) else {
        return false;
    };
    block.except.iter().flatten().all(|text| {
        cidr(text).is_some_and(|(inner, inner_len)| {
            inner_len > outer_len && masked(inner, outer_len) == masked(outer, outer_len)
        })
    })
}

fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (length <= longest && masked(address, length) == masked(address, longest)).then_some((address, length))
}

/// The first bits of an address, with the number of bits it has, so that families never compare equal.
fn masked(address: IpAddr, length: u8) -> (u32, u128) {
    let (bits, width): (u128, u32) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let dropped = width - u32::from(length).min(width);
    let kept = bits.checked_shr(dropped).unwrap_or(0);
    (width, kept.checked_shl(dropped).unwrap_or(0))
}

/// Names of other objects.
fn names(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    let claim = request.storage.as_ref().map(|storage| &storage.claim);
    let (existing, class) = match claim {
        Some(ClaimRequest::Existing(claim)) => (Some(claim), None),
        Some(ClaimRequest::New { class, .. }) => (None, class.as_ref().filter(|class| !class.is_empty())),
        None => (None, None),
    };
    let table = [
        ("storage.existingClaim", existing),
        ("storage.storageClassName", class),
        (
            "source.credentialsSecret",
            request.model.credentials_secret.as_ref(),
        ),
        ("priorityClassName", request.pod.priority_class.as_ref()),
        ("runtimeClassName", request.pod.runtime_class.as_ref()),
    ];
    let one_by_one = table.into_iter().filter_map(|(path, name)| Some((path, name?)));
    let secrets = request
        .pod
        .image_pull_secrets
        .iter()
        .map(|name| ("imagePullSecrets", name));
    for (path, name) in one_by_one.chain(secrets) {
        if !is_dns_subdomain(name) {
            let message = format!(
                "{name:?} cannot be the name of an object: lower case letters, digits, '-' and '.' only"
            );
            errors.push(FieldError::new(path, message));
        }
    }
    if let Some(gpu) = request
        .gpu
        .as_ref()
        .filter(|gpu| !gpu.resource.contains('/') || !is_qualified_name(&gpu.resource))
    {
        errors.push(FieldError::new(
            "gpu.resourceName",
            format!(
                "{:?} is no resource that a node can advertise; write for example nvidia.com/gpu",
                gpu.resource
            ),
        ));
    }
    let product = request.gpu.as_ref().and_then(|gpu| gpu.product.as_deref());
    if product.is_some_and(|product| product.is_empty() || !is_label_value(product)) {
        errors.push(FieldError::new(
            "gpu.product",
            "must be a GPU family such as H100, or a value of the node label nvidia.com/gpu.product",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cidr: &str, except: &[&str]) -> IPBlock {
        IPBlock {
            cidr: cidr.into(),
            except: Some(except.iter().map(|text| (*text).to_owned()).collect()),
        }
    }

    #[test]
    fn blocks_are_networks_with_exceptions_inside() {
        assert!(is_block(&block("10.0.0.0/8", &["10.1.0.0/16"])));
        assert!(is_block(&block("0.0.0.0/0", &[])) && is_block(&block("::/0", &["fd00::/8"])));
        for (cidr, except) in [
            ("10.0.0.0", ""),
            ("10.0.0.0/33", ""),
            ("10.0.0.0/8", "11.0.0.0/16"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "fd00::/8"),
        ] {
            let except: Vec<&str> = Some(except).filter(|text| !text.is_empty()).into_iter().collect();
            assert!(!is_block(&block(cidr, &except)), "{cidr} {except:?}");
        }
    }

    #[test]
    fn tolerations_follow_kubernetes() {
        let toleration = |key: &str, operator: &str, value: &str, effect: &str| Toleration {
            key: Some(key.into()),
            operator: Some(operator.into()),
            value: Some(value.into()),
            effect: Some(effect.into()),
            toleration_seconds: None,
        };
        assert_eq!(
            toleration_problem(&toleration("a", "Equal", "b", "NoSchedule")),
            None
        );
        assert_eq!(toleration_problem(&toleration("", "Exists", "", "")), None);
        for bad in [
            ("", "Equal", "", ""),
            ("a", "Exists", "b", ""),
            ("a", "In", "", ""),
            ("a", "Equal", "b", "Never"),
        ] {
            assert!(
                toleration_problem(&toleration(bad.0, bad.1, bad.2, bad.3)).is_some(),
                "{bad:?}"
            );
        }
    }
}
