//! The `HorizontalPodAutoscaler` that carries the operator's number to the workload.
//!
//! The metric's value is the number of replicas itself: with a target of 1 per Pod, `kubectl get hpa` shows the truth. The operator has
//! windows and margins of its own, so those of the autoscaler are open: no tolerance (10 % would swallow one replica of ten and more),
//! no stabilization, and steps that never bind.

use k8s_openapi::{
    api::autoscaling::v2::{
        CrossVersionObjectReference, ExternalMetricSource, HPAScalingPolicy, HPAScalingRules,
        HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec,
        MetricIdentifier, MetricSpec, MetricTarget,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector},
};

use super::metadata::guard;
use crate::{
    labels,
    plan::{ServingPlan, Workload},
};

/// The metric whose value is the number of replicas.
pub const METRIC: &str = "llm_operator_desired_replicas";
/// Seconds in which a step may be taken: the shortest that means anything to the autoscaler's own period.
const STEP_SECONDS: i32 = 15;
/// Percent and Pods by which one step may change the number; whichever is more.
const STEP: [(&str, i32); 2] = [("Percent", 900), ("Pods", 100)];

/// An autoscaler, when the plan scales.
pub fn autoscaler(plan: &ServingPlan) -> Option<HorizontalPodAutoscaler> {
    let scaling = plan.scaling.as_ref().filter(|scaling| scaling.active())?;
    let kind = match &plan.workload {
        Workload::Deployment(_) => "Deployment",
        Workload::StatefulSet(_) => "StatefulSet",
        Workload::Pod { .. } => return None,
    };
    Some(HorizontalPodAutoscaler {
        metadata: guard(plan),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".into()),
                kind: kind.into(),
                name: plan.name.clone(),
            },
            min_replicas: Some(scaling.least),
            max_replicas: scaling.most,
            metrics: Some(vec![metric(plan)]),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_up: Some(rules()),
                scale_down: Some(rules()),
            }),
        },
        status: None,
    })
}

fn metric(plan: &ServingPlan) -> MetricSpec {
    let labels = [
        (labels::KIND.to_owned(), plan.identity.kind_label()),
        (labels::NAME.to_owned(), plan.identity.name.clone()),
    ];
    MetricSpec {
        type_: "External".into(),
        external: Some(ExternalMetricSource {
            metric: MetricIdentifier {
                name: METRIC.into(),
                selector: Some(LabelSelector {
                    match_labels: Some(labels.into()),
                    match_expressions: None,
                }),
            },
            target: MetricTarget {
                type_: "AverageValue".into(),
                average_value: Some(Quantity("1".into())),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn rules() -> HPAScalingRules {
    let policy = |(type_, value): (&str, i32)| HPAScalingPolicy {
        type_: type_.into(),
        value,
        period_seconds: STEP_SECONDS,
    };
    HPAScalingRules {
        stabilization_window_seconds: Some(0),
        select_policy: Some("Max".into()),
        policies: Some(STEP.map(policy).to_vec()),
        tolerance: Some(Quantity("0".into())),
    }
}
