//! A Deployment's facts without its Pod template, which is most of its text and says nothing about what it does.
//!
//! In: a Deployment as it was sent. Out: [`WorkloadFacts`]. Pure.

use diagnosis::facts::WorkloadFacts;
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use reconcile::RawObject;
use serde::Deserialize;

#[derive(Deserialize)]
struct Slim {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    status: Option<DeploymentStatus>,
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
pub(crate) fn facts(raw: &RawObject) -> Result<WorkloadFacts, serde_json::Error> {
    let Slim {
        metadata,
        spec,
        status,
    } = serde_json::from_str(raw.json())?;
    Ok(WorkloadFacts::from(&Deployment {
        metadata: ObjectMeta {
            namespace: Some(raw.namespace().to_owned()),
            name: Some(raw.name().to_owned()),
            generation: Some(raw.generation()),
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        },
        spec: Some(DeploymentSpec {
            replicas: spec.replicas,
            paused: spec.paused,
            ..DeploymentSpec::default()
        }),
        status,
    }))
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
        assert_eq!(facts(&raw).unwrap(), WorkloadFacts::from(&whole));
    }
}
