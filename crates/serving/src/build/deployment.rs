//! The Deployment.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};

use super::{
    metadata::{metadata, selector},
    pod::pod_template,
};
use crate::{
    digest,
    plan::{DeploymentPlan, PodPlan, ServingPlan, Strategy},
};

/// A Deployment of the plan's Pods.
pub fn deployment(plan: &ServingPlan, workload: &DeploymentPlan) -> Deployment {
    of_pods(plan, workload, &plan.pod)
}

/// The same for a Deployment that another operator made, when there is such an operator; and a hash of all that its Pods are
/// made from, which tells whether they are still what that operator made.
pub fn deployment_as_found(plan: &ServingPlan, workload: &DeploymentPlan) -> Option<AsFound> {
    let deployment = of_pods(plan, workload, plan.pod_as_found.as_deref()?);
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    // Files that Pods read do not stand in that operator's template; our annotations tell when one has changed.
    let made_from = (template, &plan.pod.annotations);
    // All of it is maps with text keys, lists and text: nothing of it cannot be written.
    let bytes = serde_json::to_vec(&made_from).unwrap_or_default();
    Some(AsFound {
        deployment,
        pods: digest::short_of(bytes),
    })
}

/// A Deployment as another operator made it.
#[derive(Clone, Debug, PartialEq)]
pub struct AsFound {
    /// The object.
    pub deployment: Deployment,
    /// Hash of its Pod template and of the files in its Pods, 32 hexadecimal digits.
    pub pods: String,
}

fn of_pods(plan: &ServingPlan, workload: &DeploymentPlan, pod: &PodPlan) -> Deployment {
    Deployment {
        metadata: metadata(plan),
        spec: Some(DeploymentSpec {
            replicas: workload.replicas,
            selector: selector(plan),
            strategy: strategy(&workload.strategy),
            progress_deadline_seconds: Some(workload.progress_deadline_seconds),
            template: pod_template(pod),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn strategy(strategy: &Strategy) -> Option<DeploymentStrategy> {
    Some(match strategy {
        Strategy::Kubernetes => return None,
        Strategy::Recreate => DeploymentStrategy {
            type_: Some("Recreate".into()),
            rolling_update: None,
        },
        Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } => DeploymentStrategy {
            type_: Some("RollingUpdate".into()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(max_surge.clone()),
                max_unavailable: Some(max_unavailable.clone()),
            }),
        },
    })
}
