//! Apply and prune: the children of a plan in the cluster.
//!
//! In: a plan. Out: what was written, or the first error. What Pods need is applied before the Pods, and nothing after
//! an error: a Service whose name is taken must not leave GPUs taken by Pods that nobody can reach.

use reconcile::{Applied, Applier, ApplyError, DesiredObject, PrunePolicy, apply::ChangeMade};
use serving::{
    build::{Children, build},
    plan::{ServingPlan, Workload},
};

/// What the apply step did.
#[derive(Debug, Default)]
pub struct Done {
    /// Children that somebody had changed and that are as they were, as `Kind name`.
    pub repaired: Vec<String>,
    /// Children that were no longer asked for and are deleted, as `Kind name`.
    pub pruned: Vec<String>,
}

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

/// Makes the cluster hold exactly the plan's children; `scaled` as in [`desired`].
///
/// # Errors
/// The first child that could not be applied or pruned; what follows it was left alone.
pub async fn apply(applier: &Applier, plan: &ServingPlan, scaled: bool) -> Result<Done, ApplyError> {
    let objects = desired(plan, scaled)?;
    let mut done = Done::default();
    for object in &objects {
        let Applied { change, .. } = applier.apply(object).await?;
        if change == ChangeMade::Repaired {
            done.repaired.push(format!("{} {}", object.kind(), object.name()));
        }
    }
    let wanted: Vec<_> = objects.iter().map(DesiredObject::wanted).collect();
    let pruned = applier
        .prune(&plan.identity.uid, &wanted, PrunePolicy::KeepClaims)
        .await?;
    done.pruned = pruned
        .into_iter()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    Ok(done)
}
