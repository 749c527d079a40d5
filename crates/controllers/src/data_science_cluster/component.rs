//! What is kept of an `Llmd`, as far as it concerns the cluster that asks for it. Pure.

use api::opendatahub_io::{components::v1alpha1::ChartRelease, datasciencecluster::v2::DataScienceCluster};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::{Resource as _, core::ObjectMeta};
use reconcile::RawObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::Cluster;

/// An `Llmd`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Component {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Its spec, as it is stored.
    pub spec: Value,
    /// Its condition `Ready`.
    pub ready: Option<Condition>,
    /// Its releases, in the words of Open Data Hub.
    pub releases: Vec<Value>,
}

/// Whose an `Llmd` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The cluster's.
    Ours,
    /// That of an earlier cluster of the same name: it goes by itself.
    Predecessor,
    /// Somebody else's, in words.
    Other(String),
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    releases: Vec<ChartRelease>,
}

impl Component {
    /// Reads one.
    ///
    /// # Errors
    /// Its metadata or status is not that of an `Llmd`.
    pub fn read(raw: &RawObject) -> Result<Self, serde_json::Error> {
        let read: Read = raw.decode()?;
        let conditions = read.status.conditions.into_iter();
        Ok(Self {
            metadata: read.metadata,
            spec: read.spec,
            ready: conditions
                .into_iter()
                .find(|condition| condition.type_ == "Ready"),
            releases: read.status.releases.iter().map(release).collect(),
        })
    }

    /// Its uid.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// The condition `Ready`, if it speaks of the present spec.
    pub fn verdict(&self) -> Option<&Condition> {
        let ready = self.ready.as_ref()?;
        (ready.observed_generation == self.metadata.generation).then_some(ready)
    }

    /// Whose it is, as `cluster` sees it.
    pub fn owner(&self, cluster: &Cluster) -> Owner {
        let owners = || self.metadata.owner_references.iter().flatten();
        let controls = |owner: &&OwnerReference| owner.controller == Some(true);
        let is_cluster = |owner: &OwnerReference| {
            let group = owner.api_version.split('/').next().unwrap_or_default();
            owner.kind == DataScienceCluster::kind(&()) && group == DataScienceCluster::group(&())
        };
        if let Some(other) = owners().filter(controls).find(|owner| owner.uid != cluster.uid()) {
            return if is_cluster(other) && other.name == cluster.name() {
                Owner::Predecessor
            } else {
                Owner::Other(format!("belongs to {} {}", other.kind, other.name))
            };
        }
        if owners().any(|owner| owner.uid == cluster.uid()) {
            return Owner::Ours;
        }
        Owner::Other("was made directly".to_owned())
    }
}

/// A release as a cluster's status has it.
fn release(release: &ChartRelease) -> Value {
    let mut told = json!({"name": release.name});
    let more = [("version", &release.version), ("repoUrl", &release.repo_url)];
    for (field, value) in more {
        if let Some(value) = value {
            told[field] = value.clone().into();
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let object = json!({"metadata": {"name": "default-dsc", "uid": "ours"}});
        Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
    }

    fn component(more: &Value) -> Component {
        let mut object = json!({"metadata": {"name": "default-llm-d", "uid": "u", "generation": 2}});
        for (field, value) in more.as_object().unwrap() {
            if field == "owners" {
                object["metadata"]["ownerReferences"] = value.clone();
            } else {
                object[field] = value.clone();
            }
        }
        Component::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
    }

    fn owned(uid: &str, kind: &str, name: &str, controller: bool) -> Value {
        let group = if kind == "DataScienceCluster" {
            "datasciencecluster.opendatahub.io/v1"
        } else {
            "example.com/v1"
        };
        json!({"apiVersion": group, "kind": kind, "name": name, "uid": uid, "controller": controller})
    }

    #[test]
    fn whose_it_is() {
        let dsc = "DataScienceCluster";
        let directly = Owner::Other("was made directly".to_owned());
        let of = |words: &str| Owner::Other(format!("belongs to {words}"));
        for (owners, expected) in [
            (json!([]), directly.clone()),
            (json!(null), directly.clone()),
            (json!([owned("ours", dsc, "default-dsc", true)]), Owner::Ours),
            (json!([owned("ours", dsc, "default-dsc", false)]), Owner::Ours),
            (
                json!([owned("before", dsc, "default-dsc", true)]),
                Owner::Predecessor,
            ),
            (
                json!([owned("before", dsc, "other-dsc", true)]),
                of("DataScienceCluster other-dsc"),
            ),
            (json!([owned("x", "App", "a", true)]), of("App a")),
            (json!([owned("x", "App", "a", false)]), directly),
            (
                json!([
                    owned("x", "App", "a", true),
                    owned("ours", dsc, "default-dsc", false)
                ]),
                of("App a"),
            ),
        ] {
            let component = component(&json!({"owners": owners}));
            assert_eq!(component.owner(&cluster()), expected, "{owners}");
        }
    }

    #[test]
    fn a_verdict_speaks_of_the_present_spec() {
        let ready = |generation: i64| {
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation}],
                "releases": [{"name": "a", "version": "1", "repoUrl": "u", "state": "InSync", "history": []}, {"name": "b"}]})
        };
        let before = component(&json!({"status": ready(1)}));
        assert!(before.verdict().is_none() && before.ready.is_some());
        let now = component(&json!({"status": ready(2)}));
        assert!(now.verdict().is_some());
        assert_eq!(
            now.releases,
            [
                json!({"name": "a", "version": "1", "repoUrl": "u"}),
                json!({"name": "b"})
            ]
        );
        assert!(component(&json!({})).verdict().is_none());
    }
}
