//! Kubernetes objects from a plan: one file per Kubernetes kind.
//!
//! In: a [`ServingPlan`]. Out: [`Children`], deterministic to the byte, with only the fields that we mean to own:
//! nothing that the API server would fill in by itself, quantities in the form in which it stores them.
//! It must not decide anything.

mod autoscaler;
mod claim;
mod config_map;
mod container;
mod deployment;
mod disruption_budget;
mod ingress;
mod metadata;
mod network_policy;
mod pod;
mod service;
mod stateful_set;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};

pub use self::{
    autoscaler::{METRIC, autoscaler},
    claim::claim,
    config_map::config_map,
    deployment::{AsFound, deployment, deployment_as_found},
    disruption_budget::disruption_budget,
    ingress::ingress,
    metadata::owned,
    network_policy::network_policy,
    pod::pod,
    service::service,
    stateful_set::{headless_service, stateful_set},
};
use crate::plan::{ServingPlan, Workload};

/// Everything that is made for one resource, in the order in which it is applied: what Pods need comes before them.
///
/// Take it apart without `..`, so that a new kind of child does not compile until it is applied and pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// Volume for the weights; `None`: prune one that was made before.
    pub claim: Option<PersistentVolumeClaim>,
    /// Files for the engine; `None`: prune one that was made before.
    pub config_map: Option<ConfigMap>,
    /// Always there.
    pub network_policy: NetworkPolicy,
    /// `None`: prune one that was made before.
    pub service: Option<Service>,
    /// `None`: prune one that was made before.
    pub ingress: Option<Ingress>,
    /// `None`: prune one that was made before.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// The Pods; last, when all that they need is there. `None`: the plan has another workload.
    pub deployment: Option<Deployment>,
    /// The Pods when another operator's are there already.
    pub deployment_as_found: Option<AsFound>,
    /// The Service that gives each Pod a name; `None`: prune one that was made before.
    pub headless_service: Option<Service>,
    /// The Pods with stable names; last. `None`: the plan has another workload.
    pub stateful_set: Option<StatefulSet>,
    /// The Pod; last. `None`: the plan has another workload.
    pub pod: Option<Pod>,
    /// Carries the number of replicas to the workload, after which it comes. `None`: prune one that was made before.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
}

/// Builds everything.
pub fn build(plan: &ServingPlan) -> Children {
    let mut children = around(plan);
    match &plan.workload {
        Workload::Deployment(workload) => {
            children.deployment = Some(deployment(plan, workload));
            children.deployment_as_found = deployment_as_found(plan, workload);
        }
        Workload::StatefulSet(workload) => {
            children.headless_service = Some(headless_service(plan, workload));
            children.stateful_set = Some(stateful_set(plan, workload));
        }
        Workload::Pod { ends } => children.pod = Some(pod(plan, *ends)),
    }
    children
}

/// Everything but the workload.
fn around(plan: &ServingPlan) -> Children {
    Children {
        claim: claim(plan),
        config_map: config_map(plan),
        network_policy: network_policy(plan),
        service: plan.service.made.then(|| service(plan)),
        ingress: ingress(plan),
        disruption_budget: disruption_budget(plan),
        deployment: None,
        deployment_as_found: None,
        headless_service: None,
        stateful_set: None,
        pod: None,
        autoscaler: autoscaler(plan),
    }
}
