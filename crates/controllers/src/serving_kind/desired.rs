//! The children of a plan as they are applied.
//!
//! In: a plan. Out: desired objects in order. What Pods need comes before the Pods: a Service whose name is taken must not
//! leave GPUs taken by Pods that nobody can reach. Pure.

use reconcile::{ApplyError, DesiredObject};
use serving::{
    build::{Children, build},
    plan::{ServingPlan, Workload},
};

/// Fields of a Deployment that an autoscaler sets.
const SCALED: [&str; 1] = ["/spec/replicas"];

/// The plan's children in the order in which they are applied. `scaled`: replicas are left to whoever scales the child;
/// those that the plan does not set were never ours, and there is nothing to leave.
///
/// # Errors
/// A child was built without a name or an owner's uid.
pub fn desired(plan: &ServingPlan, scaled: bool) -> Result<Vec<DesiredObject>, ApplyError> {
    let Children {
        claim,
        config_map,
        network_policy,
        service,
        ingress,
        disruption_budget,
        deployment,
    } = build(plan);
    let mut objects = Vec::with_capacity(7);
    if let Some(claim) = claim {
        objects.push(DesiredObject::new(claim)?);
    }
    if let Some(config_map) = config_map {
        objects.push(DesiredObject::new(config_map)?);
    }
    objects.push(DesiredObject::new(network_policy)?);
    objects.push(DesiredObject::new(service)?);
    if let Some(ingress) = ingress {
        objects.push(DesiredObject::new(ingress)?);
    }
    if let Some(budget) = disruption_budget {
        objects.push(DesiredObject::new(budget)?);
    }
    if let Some(deployment) = deployment {
        let deployment = DesiredObject::new(deployment)?;
        objects.push(if scaled && sets_replicas(plan) {
            deployment.releasing(&SCALED)?
        } else {
            deployment
        });
    }
    Ok(objects)
}

fn sets_replicas(plan: &ServingPlan) -> bool {
    let Workload::Deployment(deployment) = &plan.workload;
    deployment.replicas.is_some()
}
