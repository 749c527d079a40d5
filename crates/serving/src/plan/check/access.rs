//! Who may reach the port: peers as in a NetworkPolicy.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};

use super::{report, selector::selector_problem};
use crate::{field_error::FieldError, request::Access};

/// Checks every peer.
pub(super) fn check(access: &Access, errors: &mut Vec<FieldError>) {
    let Access::From { peers, .. } = access else {
        return;
    };
    for (index, peer) in peers.iter().enumerate() {
        let path = format!("access.from[{index}]");
        report(&path, peer_problem(peer), errors);
        let selectors = [&peer.namespace_selector, &peer.pod_selector];
        let problem = selectors.into_iter().flatten().find_map(selector_problem);
        report(path, problem, errors);
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

/// A network as Kubernetes takes it: no bits beyond its length, no leading zeros, no IPv4 address in IPv6 clothes.
pub fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, digits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = digits.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let plain = length.to_string() == digits && !mapped;
    let fits = length <= longest && masked(address, length) == masked(address, longest);
    (plain && fits).then_some((address, length))
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
            ("10.0.0.1/8", ""),
            ("10.0.0.0/08", ""),
            ("10.0.0.0/+8", ""),
            ("::ffff:10.0.0.0/104", ""),
        ] {
            let except: Vec<&str> = Some(except).filter(|text| !text.is_empty()).into_iter().collect();
            assert!(!is_block(&block(cidr, &except)), "{cidr} {except:?}");
        }
    }
}
