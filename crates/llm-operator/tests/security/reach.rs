//! Whom the Pods of every kind may reach, and who may reach them, as the policies beside them say.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Value, json};

use crate::{
    bases::{SERVING, bases, containers, pods, rendered},
    evaluator::{Connection, Labels, Peer, Way, passes},
};

const NAMESPACE: &str = "default";

struct Served {
    name: String,
    labels: Labels,
    ports: BTreeMap<String, u16>,
    policies: Vec<Value>,
}

impl Served {
    fn passes(&self, way: Way, peer: Peer, port: u16) -> bool {
        let connection = Connection {
            namespace: NAMESPACE,
            pod: &self.labels,
            port_names: &self.ports,
            way,
            peer,
            port,
        };
        passes(&self.policies, &connection)
    }

    fn reaches(&self, address: &str, port: u16) -> bool {
        let address: IpAddr = address.parse().unwrap();
        self.passes(Way::Out, Peer::Address(address), port)
    }
}

fn served(documents: &[Value]) -> Vec<Served> {
    let objects = rendered(documents).unwrap().unwrap();
    let policies: Vec<Value> = objects
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .cloned()
        .collect();
    let of = |(name, pod): (String, Value)| {
        let labels = serde_json::from_value(pod["metadata"]["labels"].clone()).unwrap();
        let all = containers(&pod);
        let ports = all
            .iter()
            .flat_map(|container| container["ports"].as_array().into_iter().flatten());
        let named = ports.filter_map(|port| {
            let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
            Some((port["name"].as_str().unwrap_or("http").to_owned(), number))
        });
        Served {
            name,
            labels,
            ports: named.collect(),
            policies: policies.clone(),
        }
    };
    pods(&objects).into_iter().map(of).collect()
}

fn pod(namespace: &str, labels: &[(&str, &str)]) -> Peer {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Peer::Pod {
        namespace: [("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())].into(),
        pod: labels.iter().map(text).collect(),
    }
}

/// No model Pod of any kind reaches a cloud's metadata, by which it would become its node; the world and DNS it reaches.
/// Promises: S2-23
#[test]
fn no_model_reaches_the_metadata_of_its_node() {
    let mut kinds = 0;
    for base in bases() {
        for served in served(&base.documents) {
            kinds += 1;
            for (address, port) in [
                ("169.254.169.254", 80),
                ("169.254.169.254", 443),
                ("169.254.170.2", 80),
                ("169.254.20.10", 80),
                ("fd00:ec2::254", 80),
            ] {
                assert!(
                    !served.reaches(address, port),
                    "{} {}: {address}",
                    base.file,
                    served.name
                );
            }
            for (address, port) in [("169.254.20.10", 53), ("8.8.8.8", 443), ("2606:4700::1", 443)] {
                assert!(
                    served.reaches(address, port),
                    "{} {}: {address}",
                    base.file,
                    served.name
                );
            }
            assert!(served.passes(Way::Out, pod("kube-system", &[("k8s-app", "kube-dns")]), 53));
        }
    }
    assert!(kinds > SERVING.len(), "{kinds}");
}

/// Who is not named in `access.from` reaches no Pod of any kind, whatever its labels and its namespace; who is named does, and so
/// does the operator, at the serving port alone.
/// Promises: S2-23
#[test]
fn access_from_keeps_other_namespaces_out() {
    let mut kinds = std::collections::BTreeSet::new();
    for base in bases() {
        let mut documents = base.documents.clone();
        let mut narrowed = None;
        for document in &mut documents {
            let kind = document["kind"].as_str().unwrap().to_owned();
            let version = document["apiVersion"].as_str().unwrap().to_owned();
            if SERVING.contains(&(version.as_str(), kind.as_str())) {
                let access = json!({"from": [
                    {"podSelector": {"matchLabels": {"app": "client"}}},
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "friends"}}},
                ]});
                let by_name = ["ai.example.com/v1", "nvidia.com/v1"].contains(&version.as_str());
                if by_name {
                    document["spec"]["serving"]["access"] = access;
                } else {
                    document["spec"]["access"] = access;
                }
                narrowed = Some((version, kind));
            }
        }
        let Some(kind) = narrowed else { continue };
        kinds.insert(kind);
        for served in served(&documents) {
            let ports: Vec<u16> = served.ports.values().copied().collect();
            for port in ports.iter().copied().chain([22, 10250]) {
                let told = format!("{} {}: {port}", base.file, served.name);
                for stranger in [
                    pod("other", &[("app", "client")]),
                    pod("other", &[("app", "llm-operator")]),
                    pod(NAMESPACE, &[("app", "other")]),
                    pod("llm-system", &[("app", "other")]),
                    Peer::Address("10.0.0.1".parse().unwrap()),
                ] {
                    assert!(!served.passes(Way::In, stranger, port), "{told}");
                }
            }
            let open = |peer: &Peer| {
                ports
                    .iter()
                    .any(|port| served.passes(Way::In, peer.clone(), *port))
            };
            if !ports.is_empty() {
                for friend in [
                    pod(NAMESPACE, &[("app", "client")]),
                    pod("friends", &[]),
                    pod("llm-system", &[("app", "llm-operator")]),
                ] {
                    assert!(open(&friend), "{} {}: {friend:?}", base.file, served.name);
                }
            }
        }
    }
    let all = SERVING.map(|(version, kind)| (version.to_owned(), kind.to_owned()));
    assert_eq!(kinds, all.into());
}

/// Without `access` the serving port is open to everybody and no other port is, wherever it is known on which the engine listens.
/// Promises: S2-23
#[test]
fn no_other_port_is_open() {
    let mut closed = 0;
    for base in bases() {
        for served in served(&base.documents) {
            let stranger = || pod("other", &[]);
            // An unknown container of an AIDeployment, or one that its template brings, listens nobody knows where.
            let every_port = served.passes(Way::In, stranger(), 22);
            let brought = base.documents.iter().any(|document| {
                document["kind"] == "AIDeployment"
                    && (document["spec"]["engine"]["name"] == "generic"
                        || document["spec"]["deployment"]["template"].is_object())
            });
            assert!(
                !every_port || brought,
                "{} {}: port 22 is open",
                base.file,
                served.name
            );
            closed += usize::from(!every_port);
        }
    }
    assert!(closed > 10, "{closed}");
}
