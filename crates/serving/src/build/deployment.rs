//! The Deployment.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};

use super::{
    metadata::{metadata, selector},
    pod::pod_template,
};
use crate::plan::{DeploymentPlan, ServingPlan, Strategy};

/// A Deployment of the plan's Pods.
pub fn deployment(plan: &ServingPlan, workload: &DeploymentPlan) -> Deployment {
    Deployment {
        metadata: metadata(plan),
        spec: Some(DeploymentSpec {
            replicas: workload.replicas,
            selector: selector(plan),
            strategy: Some(strategy(&workload.strategy)),
            progress_deadline_seconds: Some(workload.progress_deadline_seconds),
            template: pod_template(plan),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn strategy(strategy: &Strategy) -> DeploymentStrategy {
    match strategy {
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
    }
}
