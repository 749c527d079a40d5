//! The `Llmd` that a cluster asks for, and how far one that exists is from it. Pure.

use api::opendatahub_io::{
    components::v1alpha1::{Llmd, LlmdSpec},
    datasciencecluster::v2::DataScienceCluster,
};
use kube::Resource as _;
use serde_json::{Map, Value, json};

use super::{MANAGED, MANAGEMENT_STATE, cluster::Cluster, component::Component};
use crate::llmd::{NAME, RETRY};

/// What is compared, and what is written: the owner, annotations and the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    owner: Value,
    annotations: Map<String, Value>,
    spec: Value,
}

impl Desired {
    /// What `cluster` asks for with this spec.
    ///
    /// # Errors
    /// The spec cannot be written as JSON.
    pub fn of(cluster: &Cluster, spec: &LlmdSpec) -> Result<Self, serde_json::Error> {
        let mut annotations = Map::from_iter([(MANAGEMENT_STATE.to_owned(), Value::from(MANAGED))]);
        if let Some(retry) = cluster.annotation(RETRY) {
            annotations.insert(RETRY.to_owned(), retry.into());
        }
        Ok(Self {
            owner: json!({
                "apiVersion": DataScienceCluster::api_version(&()),
                "kind": DataScienceCluster::kind(&()),
                "name": cluster.name(),
                "uid": cluster.uid(),
                "controller": true,
                "blockOwnerDeletion": true,
            }),
            annotations,
            spec: serde_json::to_value(spec)?,
        })
    }

    /// All of it as one value, to compare.
    pub fn wanted(&self) -> Value {
        json!({"owner": self.owner, "annotations": self.annotations, "spec": self.spec})
    }

    /// The same of one that exists: other owners and annotations do not count.
    pub fn found(&self, component: &Component) -> Value {
        let owners = component.metadata.owner_references.iter().flatten();
        let owner = owners
            .filter_map(|owner| serde_json::to_value(owner).ok())
            .find(|owner| owner["uid"] == self.owner["uid"]);
        let annotations = component.metadata.annotations.iter().flatten();
        let annotations: Map<String, Value> = annotations
            .filter(|(name, _)| self.annotations.contains_key(*name))
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        json!({"owner": owner, "annotations": annotations, "spec": component.spec})
    }

    /// The body of a server-side apply: to the object with this uid, or one that can only create.
    pub fn body(&self, uid: Option<&str>) -> Value {
        let mut metadata = json!({
            "name": NAME,
            "annotations": self.annotations,
            "ownerReferences": [self.owner],
        });
        match uid {
            Some(uid) => metadata["uid"] = uid.into(),
            // No object has ever been stored at version 1.
            None => metadata["resourceVersion"] = "1".into(),
        }
        json!({
            "apiVersion": Llmd::api_version(&()),
            "kind": Llmd::kind(&()),
            "metadata": metadata,
            "spec": self.spec,
        })
    }

    /// What somebody else has added to the spec, as a merge patch of the spec that removes it.
    pub fn surplus(&self, component: &Component) -> Option<Value> {
        surplus(&self.spec, &component.spec)
    }
}

/// A merge patch that removes from `found` what is not in `wanted`. None where nothing is.
pub fn surplus(wanted: &Value, found: &Value) -> Option<Value> {
    let (Value::Object(wanted), Value::Object(found)) = (wanted, found) else {
        return None;
    };
    let patch: Map<String, Value> = found
        .iter()
        .filter_map(|(field, found)| {
            let removed = match wanted.get(field) {
                None => Some(Value::Null),
                Some(wanted) => surplus(wanted, found),
            };
            removed.map(|removed| (field.clone(), removed))
        })
        .collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use reconcile::RawObject;

    use super::*;

    fn cluster(retry: Option<&str>) -> Cluster {
        let mut object = json!({"metadata": {"name": "default-dsc", "uid": "c"}});
        if let Some(retry) = retry {
            object["metadata"]["annotations"] = json!({RETRY: retry});
        }
        Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
    }

    fn stored(change: impl FnOnce(&mut Value)) -> Component {
        let mut object = desired(None).body(None);
        object["metadata"]["annotations"]["kubectl.kubernetes.io/x"] = "y".into();
        change(&mut object);
        Component::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
    }

    fn desired(retry: Option<&str>) -> Desired {
        let spec =
            json!({"infra": {"enabled": true, "values": {"a": {"b": 1}, "gone": null}}, "namespace": "n"});
        Desired::of(&cluster(retry), &serde_json::from_value(spec).unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_is_found_again() {
        let desired = desired(None);
        assert_eq!(desired.found(&stored(|_| {})), desired.wanted());
    }

    #[test]
    fn every_difference_is_seen() {
        let desired = desired(None);
        for (pointer, value) in [
            ("/metadata/ownerReferences", json!([])),
            ("/metadata/ownerReferences/0/controller", json!(false)),
            ("/metadata/annotations", json!({MANAGEMENT_STATE: "Removed"})),
            ("/metadata/annotations", json!({})),
            ("/spec/infra/enabled", json!(false)),
            ("/spec/infra", json!({"enabled": true})),
            ("/spec", json!({"namespace": "n"})),
        ] {
            let changed = stored(|object| *object.pointer_mut(pointer).unwrap() = value.clone());
            assert_ne!(desired.found(&changed), desired.wanted(), "{pointer}: {value}");
        }
        let more = stored(|object| object["spec"]["timeout"] = "1m".into());
        assert_ne!(desired.found(&more), desired.wanted());
    }

    #[test]
    fn a_retry_is_handed_on_and_a_direct_one_is_left() {
        let direct = stored(|object| object["metadata"]["annotations"][RETRY] = "1".into());
        let without = desired(None);
        assert_eq!(without.found(&direct), without.wanted());
        let with = desired(Some("2"));
        assert_ne!(with.found(&direct), with.wanted());
        assert_eq!(with.body(None)["metadata"]["annotations"][RETRY], "2");
    }

    #[test]
    fn what_is_surplus_is_removed() {
        for (wanted, found, expected) in [
            (json!({"a": 1}), json!({"a": 2}), None),
            (
                json!({"a": 1}),
                json!({"a": 1, "b": {"c": 1}}),
                Some(json!({"b": null})),
            ),
            (
                json!({"a": {"x": 1}}),
                json!({"a": {"x": 1, "y": [1]}}),
                Some(json!({"a": {"y": null}})),
            ),
            (json!({"a": [1]}), json!({"a": [1, 2]}), None),
            (json!(null), json!({"a": 1}), None),
        ] {
            assert_eq!(surplus(&wanted, &found), expected, "{wanted} {found}");
        }
    }

    #[test]
    fn a_body_binds_to_one_object_or_can_only_create() {
        let body = desired(None).body(Some("u"));
        assert_eq!(body["metadata"]["uid"], "u");
        assert!(body["metadata"].get("resourceVersion").is_none());
        assert_eq!(body["spec"]["infra"]["values"]["gone"], Value::Null);
        assert_eq!(desired(None).body(None)["metadata"]["resourceVersion"], "1");
    }
}
