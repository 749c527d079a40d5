//! The children of a plan as they are applied.
//!
//! In: a plan. Out: desired objects in order. What Pods need comes before the Pods: a Service whose name is taken must not
//! leave GPUs taken by Pods that nobody can reach. Pure.

use k8s_openapi::api::apps::v1::Deployment;
use reconcile::{ApplyError, DesiredObject, apply::ADOPTED};
use serving::{
    build::{AsFound, Children, build},
    plan::{ServingPlan, Workload},
};

use crate::{scaler::Scaler, scaling::transport::Carrier};

/// Fields of a workload that an autoscaler sets.
const SCALED: [&str; 1] = ["/spec/replicas"];

/// What is known of the workload in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// Replicas are left to whoever scales it; those that the plan does not set were never ours, and there is nothing to leave.
    pub scaled: bool,
    /// The operator's own number goes another way than by a `HorizontalPodAutoscaler` of ours.
    pub no_autoscaler: bool,
    /// There are no replicas because nobody uses them, and the spec's are not to be brought back.
    pub at_zero: bool,
    /// The hash of the Pods that another operator made and that go on running, from its annotation.
    pub adopted: Option<Box<str>>,
}

impl Present {
    /// What carries the number of replicas; `scaler`: the autoscaler that targets the workload, a person's before ours.
    pub fn of(carrier: Option<&Carrier>, scaler: Option<&Scaler>) -> Self {
        let theirs = scaler.is_some_and(|scaler| scaler.made_for.is_none());
        let (left_to_others, no_autoscaler) = match carrier {
            // Ours goes with the promise, and the number is the spec's again.
            None => (theirs, true),
            Some(Carrier::Theirs(_) | Carrier::Scale(_)) => (true, true),
            // Also before its autoscaler is there: the number that the workload has must not fall to the spec's meanwhile.
            Some(Carrier::Autoscaler) => (true, false),
            Some(Carrier::Undecided) => (true, scaler.is_none()),
        };
        Self {
            scaled: left_to_others,
            no_autoscaler,
            at_zero: false,
            adopted: None,
        }
    }
}

/// The plan's children in the order in which they are applied.
///
/// # Errors
/// A child was built without a name or an owner's uid.
pub fn desired(plan: &ServingPlan, present: &Present) -> Result<Vec<DesiredObject>, ApplyError> {
    let Children {
        claim,
        config_map,
        network_policy,
        service,
        ingress,
        disruption_budget,
        deployment,
        deployment_as_found,
        headless_service,
        stateful_set,
        pod,
        autoscaler,
    } = build(plan);
    let none = present.at_zero.then_some(0);
    let deployment = deployment.map(|deployment| with_replicas(deployment, none));
    let deployment_as_found = deployment_as_found.map(|found| AsFound {
        deployment: with_replicas(found.deployment, none),
        ..found
    });
    let stateful_set = stateful_set.map(|mut set| {
        if let Some(spec) = &mut set.spec {
            spec.replicas = none.or(spec.replicas);
        }
        set
    });
    let mut objects = Vec::with_capacity(9);
    if let Some(claim) = claim {
        objects.push(DesiredObject::new(claim)?);
    }
    if let Some(config_map) = config_map {
        objects.push(DesiredObject::new(config_map)?);
    }
    objects.push(DesiredObject::new(network_policy)?);
    for service in [service, headless_service].into_iter().flatten() {
        objects.push(DesiredObject::new(service)?);
    }
    if let Some(ingress) = ingress {
        objects.push(DesiredObject::new(ingress)?);
    }
    if let Some(budget) = disruption_budget {
        objects.push(DesiredObject::new(budget)?);
    }
    if let Some(deployment) = deployment {
        let scaled = present.scaled && sets_replicas(plan);
        let deployment = released(DesiredObject::new(deployment)?, scaled)?;
        objects.push(match deployment_as_found.filter(|found| go_on(present, found)) {
            Some(found) => deployment.if_found(released(DesiredObject::new(marked(found))?, scaled)?),
            None => deployment,
        });
    }
    if let Some(stateful_set) = stateful_set {
        objects.push(released(DesiredObject::new(stateful_set)?, present.scaled)?);
    }
    if let Some(pod) = pod {
        objects.push(DesiredObject::new(pod)?.replaceable());
    }
    if let Some(autoscaler) = autoscaler.filter(|_| !present.no_autoscaler) {
        objects.push(DesiredObject::new(autoscaler)?);
    }
    Ok(objects)
}

/// The Deployment with another number, where it has one.
fn with_replicas(mut deployment: Deployment, replicas: Option<i32>) -> Deployment {
    if let Some(given) = deployment.spec.as_mut().and_then(|spec| spec.replicas.as_mut()) {
        *given = replicas.unwrap_or(*given);
    }
    deployment
}

fn released(workload: DesiredObject, scaled: bool) -> Result<DesiredObject, ApplyError> {
    Ok(if scaled {
        workload.releasing(&SCALED)?
    } else {
        workload
    })
}

/// Pods that another operator made go on as they are until the resource asks for others; these get everything that ours have.
fn go_on(present: &Present, found: &AsFound) -> bool {
    present
        .adopted
        .as_deref()
        .is_none_or(|adopted| adopted == found.pods)
}

fn marked(found: AsFound) -> Deployment {
    let AsFound { mut deployment, pods } = found;
    let annotations = deployment.metadata.annotations.get_or_insert_default();
    annotations.insert(ADOPTED.to_owned(), pods);
    deployment
}

fn sets_replicas(plan: &ServingPlan) -> bool {
    matches!(&plan.workload, Workload::Deployment(deployment) if deployment.replicas.is_some())
}

#[cfg(test)]
mod tests {
    use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
    use serde_json::{Value, json};

    use super::*;
    use crate::llm_deployment::{accept::plan, validate::Referents};

    /// While another carrier takes over, and while nobody knows which, the number stays as it is.
    #[test]
    fn replicas_of_what_scales_are_never_set_by_applying() {
        let carriers = [
            (Carrier::Autoscaler, false),
            (Carrier::Scale("why".into()), true),
            (Carrier::Theirs("mine".into()), true),
            (Carrier::Undecided, true),
        ];
        for (carrier, no_autoscaler) in carriers {
            let present = Present::of(Some(&carrier), None);
            assert!(present.scaled, "{carrier:?}");
            assert_eq!(present.no_autoscaler, no_autoscaler, "{carrier:?}");
        }
        assert!(!Present::of(None, None).scaled);
    }

    /// The Deployment of a plan with so many replicas.
    fn deployment(replicas: Option<i32>, scaled: bool) -> Value {
        deployment_of(
            replicas,
            &Present {
                scaled,
                ..Present::default()
            },
        )
    }

    fn deployment_of(replicas: Option<i32>, present: &Present) -> Value {
        let meta = json!({"name": "chat", "namespace": "n", "uid": "1"});
        let resource: LLMDeployment = serde_json::from_value(json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": meta,
            "spec": {"modelRef": "m", "replicas": 2},
        }))
        .unwrap();
        let model: LLMModel = serde_json::from_value(json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel",
            "metadata": {"name": "m", "namespace": "n"}, "spec": {"modelName": "m", "image": "i"},
        }))
        .unwrap();
        let mut plan = plan(&resource, &model, Referents::default()).unwrap();
        if let Workload::Deployment(workload) = &mut plan.workload {
            workload.replicas = replicas;
        }
        let objects = desired(&plan, present).unwrap();
        objects.last().unwrap().manifest().unwrap()
    }

    /// Nor is a model that nobody uses brought back by an edit of its floor.
    #[test]
    fn at_zero_the_floor_is_zero() {
        let present = Present {
            scaled: true,
            at_zero: true,
            ..Present::default()
        };
        for (replicas, left) in [
            (Some(2), json!("/spec/replicas=0")),
            (Some(3), json!("/spec/replicas=0")),
            (None, Value::Null),
        ] {
            let made = deployment_of(replicas, &present);
            assert_eq!(made["spec"]["replicas"], Value::Null, "{replicas:?}");
            let released = made.pointer("/metadata/annotations/llm-operator.io~1released");
            assert_eq!(released.cloned().unwrap_or_default(), left, "{replicas:?}");
        }
    }

    #[test]
    fn no_hand_over_gives_the_number_back_to_the_spec() {
        let scale = Carrier::Scale("why".to_owned());
        for (carrier, makes_one) in [
            (Carrier::Autoscaler, true),
            (Carrier::Undecided, false),
            (scale, false),
        ] {
            let present = Present::of(Some(&carrier), None);
            assert!(present.scaled, "{carrier:?}");
            assert_eq!(!present.no_autoscaler, makes_one, "{carrier:?}");
        }
        assert!(
            !Present::of(None, None).scaled,
            "without a promise it is the spec's"
        );
    }

    #[test]
    fn replicas_are_ours_until_something_scales_them() {
        let released = "/metadata/annotations/llm-operator.io~1released";
        for (replicas, scaled, applied, left) in [
            (Some(2), false, json!(2), Value::Null),
            (Some(2), true, Value::Null, json!("/spec/replicas=2")),
            // What was never ours needs no other owner, and costs no write to give away.
            (None, false, Value::Null, Value::Null),
            (None, true, Value::Null, Value::Null),
        ] {
            let made = deployment(replicas, scaled);
            assert_eq!(made["kind"], "Deployment");
            assert_eq!(made["spec"]["replicas"], applied, "{replicas:?} {scaled}");
            let found = made.pointer(released).cloned().unwrap_or_default();
            assert_eq!(found, left, "{replicas:?} {scaled}");
        }
    }
}
