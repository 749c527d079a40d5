//! The downward API: a Pod and a field's or resource's name in, its text out. Pure.

use std::fmt::Write as _;

use super::{Pairs, quantity};
use crate::node::spec::NodeSpec;
use k8s_openapi::api::core::v1::{Container, ObjectFieldSelector, Pod, ResourceFieldSelector};

/// What a Pod's fields are read from.
pub(crate) struct Source<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) node: &'a NodeSpec,
    pub(crate) host_ip: String,
    pub(crate) pod_ip: String,
}

impl Source<'_> {
    /// The text of `fieldRef`, or kubelet's error.
    pub(crate) fn field(&self, selector: &ObjectFieldSelector) -> Result<String, String> {
        let path = selector.field_path.as_str();
        let (metadata, spec) = (&self.pod.metadata, self.pod.spec.as_ref());
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        if let Some((map, key)) = subscript(path) {
            let pairs = match map {
                "metadata.labels" => metadata.labels.as_ref(),
                "metadata.annotations" => metadata.annotations.as_ref(),
                _ => return Err(format!("unsupported fieldPath: {path}")),
            };
            return Ok(text(pairs.and_then(|pairs| pairs.get(key))));
        }
        Ok(match path {
            "metadata.name" => text(metadata.name.as_ref()),
            "metadata.namespace" => text(metadata.namespace.as_ref()),
            "metadata.uid" => text(metadata.uid.as_ref()),
            "metadata.labels" => listed(metadata.labels.as_ref()),
            "metadata.annotations" => listed(metadata.annotations.as_ref()),
            "spec.nodeName" => self.node.name.clone(),
            "spec.serviceAccountName" => text(spec.and_then(|spec| spec.service_account_name.as_ref())),
            "status.hostIP" | "status.hostIPs" => self.host_ip.clone(),
            "status.podIP" | "status.podIPs" => self.pod_ip.clone(),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        })
    }

    /// The text of `resourceFieldRef`; a limit that is not set is the node's.
    pub(crate) fn resource(
        &self,
        selector: &ResourceFieldSelector,
        own: &Container,
    ) -> Result<String, String> {
        let spec = self.pod.spec.as_ref();
        let named = selector.container_name.as_ref().and_then(|name| {
            let all = spec
                .iter()
                .flat_map(|s| s.init_containers.iter().flatten().chain(&s.containers));
            all.into_iter().find(|container| &container.name == name)
        });
        let resources = named.unwrap_or(own).resources.clone().unwrap_or_default();
        let (group, name) = selector
            .resource
            .split_once('.')
            .ok_or_else(|| format!("unsupported container resource : {}", selector.resource))?;
        let given = match group {
            "limits" => resources.limits,
            _ => resources.requests,
        };
        let capacity = self.node.capacity();
        let given = given.unwrap_or_default();
        let amount = given
            .get(name)
            .or_else(|| capacity.get(name).filter(|_| group == "limits"));
        let amount = amount.map_or(0.0, quantity::value);
        let divisor = selector
            .divisor
            .as_ref()
            .map(quantity::value)
            .filter(|d| *d > 0.0)
            .unwrap_or(1.0);
        Ok(format!("{}", (amount / divisor).ceil()))
    }
}

/// `metadata.labels['key']` as its map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, rest) = path.split_once('[')?;
    let key = rest.strip_suffix(']')?;
    Some((map, key.trim_matches(['\'', '"'])))
}

fn listed(pairs: Option<&Pairs>) -> String {
    pairs
        .into_iter()
        .flatten()
        .fold(String::new(), |mut text, (key, value)| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}={value:?}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    #[test]
    fn fields_and_resources_are_read() {
        let mut pod = Pod::default();
        pod.metadata.labels = Some([("app".to_owned(), "chat".to_owned())].into());
        let node = NodeSpec::cpu("n1");
        let source = Source {
            pod: &pod,
            node: &node,
            host_ip: "h".into(),
            pod_ip: "p".into(),
        };
        let field = |path: &str| {
            source.field(&ObjectFieldSelector {
                field_path: path.into(),
                ..ObjectFieldSelector::default()
            })
        };
        assert_eq!(field("metadata.labels['app']").unwrap(), "chat");
        assert_eq!(field("spec.nodeName").unwrap(), "n1");
        assert!(field("spec.nonsense").is_err());
        let limits = [("memory".to_owned(), Quantity("4Gi".into()))].into();
        let container = Container {
            resources: Some(k8s_openapi::api::core::v1::ResourceRequirements {
                limits: Some(limits),
                ..Default::default()
            }),
            ..Container::default()
        };
        let selector = ResourceFieldSelector {
            resource: "limits.memory".into(),
            divisor: Some(Quantity("1Mi".into())),
            container_name: None,
        };
        assert_eq!(source.resource(&selector, &container).unwrap(), "4096");
    }
}
