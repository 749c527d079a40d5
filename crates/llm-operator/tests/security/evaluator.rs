//! `NetworkPolicy` as a function: whether a set of policies lets a connection pass.
//!
//! It is the standard's reading for one end of a connection: a Pod that no policy selects is open, one that some select is open to
//! what any of them allows. No cluster here enforces policies, so this says what one would do.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use serde_json::Value;

pub type Labels = BTreeMap<String, String>;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A Pod: labels of its namespace (with its name among them) and its own.
    Pod { namespace: Labels, pod: Labels },
    /// An address outside the cluster, or a node's.
    Address(IpAddr),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// A connection, seen from a Pod with these labels in this namespace. `port`: at the receiving end; of the Pod's own ports the
/// names are known.
pub struct Connection<'a> {
    pub namespace: &'a str,
    pub pod: &'a Labels,
    pub port_names: &'a BTreeMap<String, u16>,
    pub way: Way,
    pub peer: Peer,
    pub port: u16,
}

/// Whether the policies let it pass.
pub fn passes(policies: &[Value], connection: &Connection<'_>) -> bool {
    let (kind, rules) = match connection.way {
        Way::In => ("Ingress", "ingress"),
        Way::Out => ("Egress", "egress"),
    };
    let mut selecting = policies
        .iter()
        .map(|policy| &policy["spec"])
        .filter(|spec| selects(&spec["podSelector"], connection.pod))
        .filter(|spec| {
            let kinds = spec["policyTypes"].as_array();
            kinds.is_some_and(|kinds| kinds.iter().any(|found| found == kind))
        })
        .peekable();
    if selecting.peek().is_none() {
        return true;
    }
    selecting.any(|spec| {
        let rules = spec[rules].as_array().into_iter().flatten();
        rules.into_iter().any(|rule| allows(rule, connection))
    })
}

fn allows(rule: &Value, connection: &Connection<'_>) -> bool {
    let peers = match connection.way {
        Way::In => &rule["from"],
        Way::Out => &rule["to"],
    };
    let by_peer = list(peers).is_none_or(|peers| peers.iter().any(|peer| is_peer(peer, connection)));
    let by_port = list(&rule["ports"]).is_none_or(|ports| ports.iter().any(|port| is_port(port, connection)));
    by_peer && by_port
}

/// A list that is missing or empty restricts nothing.
fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|items| !items.is_empty())
}

fn is_port(port: &Value, connection: &Connection<'_>) -> bool {
    let number = match &port["port"] {
        Value::Null => return true,
        Value::String(name) => connection.port_names.get(name).copied().map(u64::from),
        number => number.as_u64(),
    };
    number == Some(u64::from(connection.port))
}

fn is_peer(peer: &Value, connection: &Connection<'_>) -> bool {
    match &connection.peer {
        Peer::Pod { namespace, pod } => {
            if peer["ipBlock"].is_object() {
                return false;
            }
            let in_namespace = match &peer["namespaceSelector"] {
                Value::Null => {
                    namespace.get("kubernetes.io/metadata.name").map(String::as_str)
                        == Some(connection.namespace)
                }
                selector => selects(selector, namespace),
            };
            in_namespace && selects(&peer["podSelector"], pod)
        }
        Peer::Address(address) => {
            let block = &peer["ipBlock"];
            let inside = |cidr: &Value| cidr.as_str().is_some_and(|cidr| contains(cidr, *address));
            let excepted = block["except"].as_array().into_iter().flatten().any(inside);
            inside(&block["cidr"]) && !excepted
        }
    }
}

/// An empty or missing selector takes everything.
fn selects(selector: &Value, labels: &Labels) -> bool {
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let by_labels = wanted
        .into_iter()
        .all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str());
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    by_labels
        && expressions.into_iter().all(|expression| {
            let found = labels.get(expression["key"].as_str().unwrap_or_default());
            let values = || expression["values"].as_array().into_iter().flatten();
            let among = found.is_some_and(|found| values().any(|value| value == found.as_str()));
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => among,
                "NotIn" => !among,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                other => panic!("{other}"),
            }
        })
}

fn contains(cidr: &str, address: IpAddr) -> bool {
    let (network, bits) = cidr.split_once('/').unwrap();
    let (network, bits): (IpAddr, u32) = (network.parse().unwrap(), bits.parse().unwrap());
    let (network, address, bits) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_ipv6_mapped(), address.to_ipv6_mapped(), bits + 96)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network, address, bits),
        _ => return false,
    };
    let first = |address: Ipv6Addr| {
        let number = u128::from(address);
        number.checked_shr(128 - bits).unwrap_or(0)
    };
    first(network) == first(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn blocks_hold_their_addresses() {
        for (cidr, address, inside) in [
            ("169.254.0.0/16", "169.254.169.254", true),
            ("169.254.0.0/16", "169.255.0.1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fd00::1", true),
            ("fd00:ec2::254/128", "fd00:ec2::254", true),
            ("fd00:ec2::254/128", "fd00:ec2::253", false),
        ] {
            assert_eq!(
                contains(cidr, address.parse().unwrap()),
                inside,
                "{cidr} {address}"
            );
        }
    }

    /// The standard's own example: what none selects is open, what one selects is closed but for what is said.
    #[test]
    fn policies_are_read_as_the_standard_says() {
        let policy = json!({"spec": {
            "podSelector": {"matchLabels": {"role": "db"}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [
                {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
                {"namespaceSelector": {"matchLabels": {"project": "myproject"}}},
                {"podSelector": {"matchLabels": {"role": "frontend"}}},
            ], "ports": [{"protocol": "TCP", "port": 6379}]}],
        }});
        let (db, names) = (labels(&[("role", "db")]), BTreeMap::new());
        let ask = |pod: &Labels, way, peer: Peer, port| {
            let connection = Connection {
                namespace: "default",
                pod,
                port_names: &names,
                way,
                peer,
                port,
            };
            passes(std::slice::from_ref(&policy), &connection)
        };
        let pod = |namespace: &[(&str, &str)], own: &[(&str, &str)]| Peer::Pod {
            namespace: labels(namespace),
            pod: labels(own),
        };
        let here = ("kubernetes.io/metadata.name", "default");
        assert!(ask(&db, Way::In, pod(&[here], &[("role", "frontend")]), 6379));
        assert!(!ask(&db, Way::In, pod(&[here], &[("role", "frontend")]), 6380));
        assert!(!ask(
            &db,
            Way::In,
            pod(&[("x", "y")], &[("role", "frontend")]),
            6379
        ));
        assert!(ask(&db, Way::In, pod(&[("project", "myproject")], &[]), 6379));
        assert!(ask(
            &db,
            Way::In,
            Peer::Address("172.17.0.1".parse().unwrap()),
            6379
        ));
        assert!(!ask(
            &db,
            Way::In,
            Peer::Address("172.17.1.1".parse().unwrap()),
            6379
        ));
        assert!(ask(&db, Way::Out, Peer::Address("1.1.1.1".parse().unwrap()), 80));
        assert!(ask(
            &labels(&[]),
            Way::In,
            Peer::Address("1.1.1.1".parse().unwrap()),
            80
        ));
    }
}
