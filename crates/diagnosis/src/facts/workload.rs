//! A Deployment or a StatefulSet, reduced.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet, StatefulSetStatus};

use super::boxed;

/// One condition of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConditionFacts {
    /// The condition is `True`.
    pub holds: bool,
    /// Reason, e.g. `FailedCreate`.
    pub reason: Box<str>,
    /// The controller's words.
    pub message: Box<str>,
}

/// What a diagnosis needs of the object that makes the Pods.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WorkloadFacts {
    /// Kind as a person reads it, e.g. `Deployment`.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Replicas asked for.
    pub desired: i32,
    /// Replicas of the current template.
    pub updated: i32,
    /// Ready replicas of any template, as the controller counts them.
    pub ready: i32,
    /// Replicas that were ready for `minReadySeconds`.
    pub available: i32,
    /// All replicas that exist, of any template.
    pub total: i32,
    /// `metadata.generation`.
    pub generation: i64,
    /// The generation that the controller has acted on.
    pub observed_generation: i64,
    /// The rollout is paused.
    pub paused: bool,
    /// Condition `Progressing`; absent when no progress deadline is set.
    pub progressing: Option<ConditionFacts>,
    /// Condition `ReplicaFailure`: Pods could not be created or deleted.
    pub replica_failure: Option<ConditionFacts>,
    /// The revision asked for, by which its Pods are labelled, where the object itself names it.
    pub revision: Option<Box<str>>,
    /// Deletion was asked for.
    pub deleting: bool,
}

impl WorkloadFacts {
    /// The controller has seen the latest spec, so that its counts speak about that spec.
    pub fn observed(&self) -> bool {
        self.observed_generation >= self.generation
    }
}

impl From<&Deployment> for WorkloadFacts {
    fn from(deployment: &Deployment) -> Self {
        let spec = deployment.spec.as_ref();
        let status = deployment.status.as_ref();
        let condition = |kind: &str| {
            status?
                .conditions
                .as_deref()?
                .iter()
                .find(|condition| condition.type_ == kind)
                .map(|condition| ConditionFacts {
                    holds: condition.status == "True",
                    reason: boxed(condition.reason.as_ref()).unwrap_or_default(),
                    message: boxed(condition.message.as_ref()).unwrap_or_default(),
                })
        };
        Self {
            kind: "Deployment",
            namespace: deployment
                .metadata
                .namespace
                .as_deref()
                .unwrap_or_default()
                .into(),
            name: deployment.metadata.name.as_deref().unwrap_or_default().into(),
            // Kubernetes defaults an absent count to one.
            desired: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            updated: status.and_then(|status| status.updated_replicas).unwrap_or(0),
            ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
            available: status.and_then(|status| status.available_replicas).unwrap_or(0),
            total: status.and_then(|status| status.replicas).unwrap_or(0),
            generation: deployment.metadata.generation.unwrap_or(0),
            observed_generation: status.and_then(|status| status.observed_generation).unwrap_or(0),
            paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
            progressing: condition("Progressing"),
            replica_failure: condition("ReplicaFailure"),
            revision: None,
            deleting: deployment.metadata.deletion_timestamp.is_some(),
        }
    }
}

impl From<&StatefulSet> for WorkloadFacts {
    /// Its controller keeps no deadline and no condition of failure; Events tell of Pods that could not be made.
    fn from(set: &StatefulSet) -> Self {
        let spec = set.spec.as_ref();
        let status = set.status.as_ref();
        Self {
            kind: "StatefulSet",
            namespace: boxed(set.metadata.namespace.as_ref()).unwrap_or_default(),
            name: boxed(set.metadata.name.as_ref()).unwrap_or_default(),
            // Kubernetes defaults an absent count to one.
            desired: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            updated: status.map_or(0, updated),
            ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
            available: status.and_then(|status| status.available_replicas).unwrap_or(0),
            total: status.map_or(0, |status| status.replicas),
            generation: set.metadata.generation.unwrap_or(0),
            observed_generation: status.and_then(|status| status.observed_generation).unwrap_or(0),
            paused: false,
            progressing: None,
            replica_failure: None,
            revision: boxed(status.and_then(|status| status.update_revision.as_ref())),
            deleting: set.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// Once an update is complete, the controller counts its Pods as current ones.
fn updated(status: &StatefulSetStatus) -> i32 {
    let done = status.current_revision == status.update_revision;
    let current = status.current_replicas.filter(|_| done).unwrap_or(0);
    status.updated_replicas.unwrap_or(0).max(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_reduced_to_its_counts_and_failures() {
        let deployment: Deployment = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "chat", "namespace": "ml", "generation": 3},
            "spec": {"replicas": 3, "selector": {}, "template": {}},
            "status": {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "pods is forbidden"}]}
        }))
        .unwrap();
        let facts = WorkloadFacts::from(&deployment);
        assert!(!facts.observed());
        assert_eq!((facts.desired, facts.updated, facts.total), (3, 1, 4));
        let failure = facts.replica_failure.unwrap();
        assert!(failure.holds);
        assert_eq!(&*failure.reason, "FailedCreate");
    }
}
