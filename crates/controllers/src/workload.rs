//! What makes the Pods: its facts without its Pod template, which is most of its text and says nothing about what it does.
//!
//! In: a Deployment or a StatefulSet as it was sent. Out: [`WorkloadFacts`]. Pure.

use diagnosis::facts::WorkloadFacts;
use k8s_openapi::{
    api::apps::v1::{
        Deployment, DeploymentSpec, DeploymentStatus, StatefulSet, StatefulSetSpec, StatefulSetStatus,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use reconcile::RawObject;
use serde::Deserialize;

/// What makes the Pods of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

impl WorkloadKind {
    /// All of them.
    const ALL: [Self; 2] = [Self::Deployment, Self::StatefulSet];

    /// The kind as Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[derive(Deserialize)]
struct Slim<S> {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    status: Option<S>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    deletion_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
struct Spec {
    replicas: Option<i32>,
    paused: Option<bool>,
}

/// Reads the facts of a Deployment.
///
/// # Errors
/// A field that is read has another type than the API gives it.
pub(crate) fn deployment_facts(raw: &RawObject) -> Result<WorkloadFacts, serde_json::Error> {
    let slim: Slim<DeploymentStatus> = serde_json::from_str(raw.json())?;
    Ok(WorkloadFacts::from(&Deployment {
        metadata: slim.metadata.whole(raw),
        spec: Some(DeploymentSpec {
            replicas: slim.spec.replicas,
            paused: slim.spec.paused,
            ..DeploymentSpec::default()
        }),
        status: slim.status,
    }))
}

/// Reads the facts of a StatefulSet.
///
/// # Errors
/// A field that is read has another type than the API gives it.
pub(crate) fn stateful_set_facts(raw: &RawObject) -> Result<WorkloadFacts, serde_json::Error> {
    let slim: Slim<StatefulSetStatus> = serde_json::from_str(raw.json())?;
    Ok(WorkloadFacts::from(&StatefulSet {
        metadata: slim.metadata.whole(raw),
        spec: Some(StatefulSetSpec {
            replicas: slim.spec.replicas,
            ..StatefulSetSpec::default()
        }),
        status: slim.status,
    }))
}

impl Metadata {
    fn whole(self, raw: &RawObject) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(raw.namespace().to_owned()),
            name: Some(raw.name().to_owned()),
            generation: Some(raw.generation()),
            deletion_timestamp: self.deletion_timestamp,
            ..ObjectMeta::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_those_of_the_whole_object() {
        let json = r#"{"metadata":{"name":"a","namespace":"n","generation":7,"deletionTimestamp":"2026-01-02T03:04:05Z",
            "labels":{"l":"1"}},"spec":{"replicas":3,"paused":true,"selector":{},"template":{"spec":{"containers":
            [{"name":"engine"}]}}},"status":{"observedGeneration":6,"replicas":4,"updatedReplicas":1,"readyReplicas":3,
            "availableReplicas":2,"conditions":[{"type":"Progressing","status":"False","reason":"R","message":"m"},
            {"type":"ReplicaFailure","status":"True","reason":"F","message":"f"}]}}"#;
        let raw = RawObject::new(json).unwrap();
        let whole: Deployment = raw.decode().unwrap();
        assert_eq!(deployment_facts(&raw).unwrap(), WorkloadFacts::from(&whole));
    }

    #[test]
    fn a_stateful_set_is_read_like_a_deployment() {
        let json = r#"{"metadata":{"name":"a","namespace":"n","generation":7},"spec":{"replicas":3,"serviceName":"h",
            "selector":{},"template":{"spec":{"containers":[{"name":"engine"}]}}},"status":{"observedGeneration":6,
            "replicas":3,"updatedReplicas":1,"readyReplicas":3,"currentRevision":"a-1","updateRevision":"a-2"}}"#;
        let raw = RawObject::new(json).unwrap();
        let whole: StatefulSet = raw.decode().unwrap();
        assert_eq!(stateful_set_facts(&raw).unwrap(), WorkloadFacts::from(&whole));
    }
}
