//! What is kept of a `DataScienceCluster`: the block of llm-d and the status. Pure.
//!
//! The rest of the spec belongs to others and is dropped unread, so that no field of theirs can be an obstacle.

use api::opendatahub_io::{
    components::v1alpha1::LlmdSpec,
    datasciencecluster::v2::{DataScienceCluster, DscLlmd},
};
use kube::core::ObjectMeta;
use reconcile::RawObject;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{MANAGED, REMOVED, reasons::Reason};

/// A cluster as far as it concerns us.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// `spec.components.llmd`, or why it cannot be read.
    pub block: Result<DscLlmd, String>,
    /// The whole status, as it is stored.
    pub status: Map<String, Value>,
}

/// What a cluster asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// An `Llmd` with this spec.
    Managed(Box<LlmdSpec>),
    /// None.
    Removed,
    /// Nothing that is understood: why, and one sentence.
    Unusable(Reason, String),
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

impl Cluster {
    /// Reads one. Whatever its spec and status hold, it is read.
    ///
    /// # Errors
    /// Its metadata is not that of an object.
    pub fn read(raw: &RawObject) -> Result<Self, serde_json::Error> {
        let Read {
            metadata,
            mut spec,
            status,
        } = raw.decode()?;
        let block = spec.pointer_mut("/components/llmd").map(Value::take);
        let block = match block {
            None | Some(Value::Null) => Ok(DscLlmd::default()),
            Some(block) => serde_json::from_value(block).map_err(|error| error.to_string()),
        };
        let status = match status {
            Value::Object(status) => status,
            _ => Map::new(),
        };
        Ok(Self {
            metadata,
            block,
            status,
        })
    }

    /// What it asks for.
    pub fn asked(&self) -> Asked {
        let block = match &self.block {
            Ok(block) => block,
            Err(error) => {
                let message = format!("spec.components.llmd cannot be read: {error}; nothing is touched");
                return Asked::Unusable(Reason::InvalidSpec, message);
            }
        };
        match block.management_state.as_deref() {
            Some(MANAGED) => Asked::Managed(Box::new(block.spec.clone())),
            None | Some("" | REMOVED) => Asked::Removed,
            Some(other) => Asked::Unusable(
                Reason::UnknownManagementState,
                format!(
                    "spec.components.llmd.managementState is {other:?}, and {MANAGED} and {REMOVED} are known; nothing is touched"
                ),
            ),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its uid.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The generation of its spec.
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// An annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// The object that Events are about.
    pub fn object(&self) -> DataScienceCluster {
        DataScienceCluster {
            metadata: self.metadata.clone(),
            ..DataScienceCluster::default()
        }
    }

    /// Whether it was there before `other`.
    pub fn is_older_than(&self, other: &Self) -> bool {
        let age = |cluster: &Self| {
            let created = cluster.metadata.creation_timestamp.as_ref();
            (created.map(|time| time.0), cluster.metadata.name.clone())
        };
        age(self) < age(other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(spec: &Value) -> Cluster {
        let object = json!({"metadata": {"name": "default-dsc", "uid": "u"}, "spec": spec, "status": {"conditions": 7}});
        Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_asked_for() {
        let block = json!({"managementState": "Managed", "infra": {"enabled": true, "version": "1.3.3"}, "namespace": "x"});
        let Asked::Managed(spec) = read(&json!({"components": {"llmd": block}})).asked() else {
            panic!("it is managed");
        };
        assert_eq!(
            serde_json::to_value(spec).unwrap(),
            json!({"infra": {"enabled": true, "version": "1.3.3"}, "namespace": "x"})
        );
        for removed in [
            json!(null),
            json!({}),
            json!({"components": null}),
            json!({"components": 3}),
            json!({"components": {"dashboard": {"managementState": "Managed"}, "ray": "garbage"}}),
            json!({"components": {"llmd": null}}),
            json!({"components": {"llmd": {}}}),
            json!({"components": {"llmd": {"managementState": ""}}}),
            json!({"components": {"llmd": {"managementState": "Removed", "infra": {"enabled": true}}}}),
        ] {
            assert_eq!(read(&removed).asked(), Asked::Removed, "{removed}");
        }
        for (garbage, reason, words) in [
            (
                json!({"managementState": "Unmanaged"}),
                Reason::UnknownManagementState,
                "\"Unmanaged\"",
            ),
            (json!({"managementState": 3}), Reason::InvalidSpec, "integer `3`"),
            (json!("on"), Reason::InvalidSpec, "string \"on\""),
            (
                json!({"managementState": "Managed", "infra": {"enabled": "yes"}}),
                Reason::InvalidSpec,
                "string \"yes\"",
            ),
        ] {
            let asked = read(&json!({"components": {"llmd": garbage}})).asked();
            let Asked::Unusable(why, sentence) = &asked else {
                panic!("{garbage}: {asked:?}");
            };
            assert_eq!(*why, reason, "{garbage}");
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn the_first_is_older_and_of_two_of_one_second_the_first_by_name() {
        let cluster = |name: &str, created: &str| {
            let object = json!({"metadata": {"name": name, "creationTimestamp": created}});
            Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
        };
        let (a, b, c) = (
            cluster("z", "2026-01-01T00:00:00Z"),
            cluster("a", "2026-01-01T00:00:01Z"),
            cluster("b", "2026-01-01T00:00:01Z"),
        );
        assert!(a.is_older_than(&b) && b.is_older_than(&c) && a.is_older_than(&c));
        assert!(!b.is_older_than(&a) && !a.is_older_than(&a));
    }
}
