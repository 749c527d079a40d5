//! Who else sets the number of replicas: `HorizontalPodAutoscaler`s, a person's or KEDA's, that target a child.
//!
//! In: autoscalers as they are watched. Out: the few facts that decide whether a child's replicas are ours. Pure.

use k8s_openapi::{
    api::autoscaling::v2::HorizontalPodAutoscaler, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serving::labels;

use crate::workload::WorkloadKind;

/// An autoscaler that may target a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaler {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Name of the autoscaler.
    pub name: Box<str>,
    /// The workload that it targets; `None` when it targets something else, or is on its way out.
    pub target: Option<(WorkloadKind, Box<str>)>,
    /// The uid of the resource for which we made it; `None`: it is somebody else's.
    pub made_for: Option<Box<str>>,
    /// It never goes below this, unless somebody sets zero; Kubernetes' default is 1.
    pub least: i32,
    /// It never goes above this.
    pub most: i32,
}

impl Scaler {
    /// What to say beside "the objects are as asked for"; `replicas` is what the resource asks for in `field`.
    pub fn sentence(&self, replicas: Option<i32>, field: &str) -> String {
        let Self {
            name, least, most, ..
        } = self;
        let range = format!("HorizontalPodAutoscaler {name} sets the number of replicas, {least} to {most}");
        match replicas.filter(|replicas| least < replicas) {
            Some(replicas) => {
                format!("{range}; raise its minReplicas to keep the {replicas} of {field}.")
            }
            None => format!("{range}."),
        }
    }
}

impl From<&HorizontalPodAutoscaler> for Scaler {
    fn from(autoscaler: &HorizontalPodAutoscaler) -> Self {
        let (meta, spec) = (&autoscaler.metadata, &autoscaler.spec);
        let target = &spec.scale_target_ref;
        let version = target.api_version.as_deref().unwrap_or_default();
        // Kubernetes takes the kind's only group when none is given.
        let group = version.split_once('/').map_or("apps", |(group, _)| group);
        let counts = group == "apps" && meta.deletion_timestamp.is_none();
        let kind = WorkloadKind::named(&target.kind).filter(|_| counts);
        Self {
            namespace: meta.namespace.as_deref().unwrap_or_default().into(),
            name: meta.name.as_deref().unwrap_or_default().into(),
            target: kind.map(|kind| (kind, target.name.as_str().into())),
            made_for: made_for(meta),
            least: spec.min_replicas.unwrap_or(1),
            most: spec.max_replicas,
        }
    }
}

fn made_for(meta: &ObjectMeta) -> Option<Box<str>> {
    let labels = meta.labels.as_ref()?;
    let ours = labels
        .get("app.kubernetes.io/managed-by")
        .is_some_and(|by| by == labels::OPERATOR);
    let owners = meta.owner_references.iter().flatten();
    let controller = owners
        .filter(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str());
    controller.filter(|_| ours).map(Into::into).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaler(target: &serde_json::Value) -> Scaler {
        let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "h"}, "spec": {"maxReplicas": 5, "scaleTargetRef": target},
        }))
        .unwrap();
        Scaler::from(&autoscaler)
    }

    #[test]
    fn only_autoscalers_of_workloads_count() {
        for (target, workload) in [
            (
                serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}),
                Some((WorkloadKind::Deployment, "chat".into())),
            ),
            (
                serde_json::json!({"kind": "Deployment", "name": "chat"}),
                Some((WorkloadKind::Deployment, "chat".into())),
            ),
            (
                serde_json::json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "chat"}),
                Some((WorkloadKind::StatefulSet, "chat".into())),
            ),
            (
                serde_json::json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat"}),
                None,
            ),
            (
                serde_json::json!({"apiVersion": "other.io/v1", "kind": "Deployment", "name": "chat"}),
                None,
            ),
        ] {
            assert_eq!(scaler(&target).target, workload);
        }
    }

    #[test]
    fn ours_are_known_by_their_owner() {
        let ours: HorizontalPodAutoscaler = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "h", "labels": {"app.kubernetes.io/managed-by": "llm-operator"},
                "ownerReferences": [{"apiVersion": "a/v1", "kind": "K", "name": "chat", "uid": "1", "controller": true}]},
            "spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "chat"}},
        }))
        .unwrap();
        assert_eq!(Scaler::from(&ours).made_for.as_deref(), Some("1"));
        let theirs = scaler(&serde_json::json!({"kind": "Deployment", "name": "chat"}));
        assert!(theirs.made_for.is_none());
    }

    #[test]
    fn nobody_is_told_to_raise_what_the_resource_does_not_ask_for() {
        let scaler = scaler(&serde_json::json!({"kind": "Deployment", "name": "chat"}));
        assert!(scaler.sentence(None, "spec.replicas").ends_with("1 to 5."));
    }

    #[test]
    fn a_lower_minimum_than_the_resource_asks_for_is_told() {
        let scaler = scaler(&serde_json::json!({"kind": "Deployment", "name": "chat"}));
        assert_eq!(
            scaler.sentence(Some(1), "spec.replicas"),
            "HorizontalPodAutoscaler h sets the number of replicas, 1 to 5."
        );
        assert!(
            scaler
                .sentence(Some(3), "spec.replicas")
                .ends_with("; raise its minReplicas to keep the 3 of spec.replicas.")
        );
    }
}
