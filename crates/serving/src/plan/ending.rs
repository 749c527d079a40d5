//! How a Pod ends: when its clients learn of it, how long its engine may finish, when it is killed.
//!
//! In: a request. Out: seconds. It must not know an engine.

use super::scaling::ScalingPlan;
use crate::request::{PodForm, ServingRequest};

/// Seconds between the stop signal and the kill when nothing is said: longer than most answers take.
const GRACE_SECONDS: i64 = 60;
/// Kubernetes' own number of these seconds, where nothing of ours stands.
const DEFAULT_GRACE_SECONDS: i64 = 30;
/// Seconds in which proxies and kube-proxy learn that a Pod goes, before its engine is told.
const DRAIN_SECONDS: i64 = 5;
/// Seconds that an engine which has finished needs to end, before it would be killed.
const LAST_SECONDS: i64 = 5;

/// Seconds between the decision to stop a Pod and its kill, as the Pod says it; `None`: Kubernetes' own.
pub fn grace_period(request: &ServingRequest) -> Option<i64> {
    let promised = request.scaling.as_ref().map(ScalingPlan::grace_seconds);
    let said = request.pod.grace_period_seconds.or(promised);
    match request.form {
        PodForm::Own => Some(said.unwrap_or(GRACE_SECONDS)),
        PodForm::Prem(_) => said,
    }
}

/// Seconds that a Pod goes on serving after its end was decided, so that clients learn of it first.
pub fn drain_seconds(request: &ServingRequest) -> i64 {
    let grace = grace_period(request).unwrap_or(DEFAULT_GRACE_SECONDS);
    DRAIN_SECONDS.min(grace / 2)
}

/// Seconds after that in which the engine may finish what it has, once it was told to stop.
pub fn finishing_seconds(request: &ServingRequest) -> i64 {
    let grace = grace_period(request).unwrap_or(DEFAULT_GRACE_SECONDS);
    (grace - drain_seconds(request) - LAST_SECONDS).max(0)
}
