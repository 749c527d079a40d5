//! Whether the autoscalers of this cluster keep a tolerance of their own.
//!
//! In: what the version says at the start, and what the API server makes of our own writes. Out: one answer for the whole cluster. It
//! must not look at autoscalers in the caches: a person may have edited ours, which is put back and says nothing about the cluster.
//!
//! Ours has a tolerance of 0, since the usual 10 % would swallow one replica of ten. Where that is not kept, numbers go by `/scale`.
//! The version alone does not tell (`pkg/features/kube_features.go`, the strategy of `HorizontalPodAutoscaler`s):
//!
//! | Kubernetes | gate `HPAConfigurableTolerance` | what an API server does without it |
//! |---|---|---|
//! | up to 1.32 | none, the field does not exist | refuses the apply: `field not declared in schema` |
//! | 1.33, 1.34 | alpha, closed | takes the apply and drops the field, unless the stored object has it already |
//! | from 1.35 | beta, open | the same where an administrator has closed it |
//!
//! So the version rules out what it can, and elsewhere the first autoscaler shows it: one write, at most one per worker, and
//! it is deleted again. From then on none is made, so nothing is written again and again. A refusal counts too, whatever the version
//! said: it may not have been told, an older API server may stand beside the one that was asked, and a cluster can be downgraded.
//! An answer once lost stays lost until the operator starts again: numbers go right either way, and a cluster half upgraded must not
//! make us go to and fro. Not noticed, as nothing shows it: a gate that is closed for the controller manager alone.

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerSpec};
use reconcile::{ApplyError, cache::ChildHead};
use serde::Deserialize;
use tokio::sync::watch;

const KIND: &str = "HorizontalPodAutoscaler";

/// See the module.
#[derive(Debug)]
pub struct Tolerance(watch::Sender<bool>);

impl Tolerance {
    /// `expected`: the version does not rule it out.
    pub fn new(expected: bool) -> Self {
        Self(watch::Sender::new(expected))
    }

    /// Whether it is kept, as far as is known.
    pub fn is_kept(&self) -> bool {
        *self.0.borrow()
    }

    /// An API server has refused or dropped it.
    pub fn lose(&self) {
        let lost = self.0.send_if_modified(std::mem::take);
        if lost {
            tracing::info!(
                "this API server does not keep the tolerance of autoscalers, so none are made: decided numbers of replicas are set on /scale"
            );
        }
    }

    /// Follows the answer.
    pub fn follow(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// Whether an apply failed because the API server does not know the tolerance.
pub fn is_refused(error: &ApplyError) -> bool {
    let ApplyError::Invalid { kind, message, .. } = error else {
        return false;
    };
    kind == KIND && message.contains(".tolerance: field not declared in schema")
}

/// Whether the API server has taken an object of this kind from us and stored it without our tolerance.
pub fn is_dropped(kind: &str, stored: &ChildHead) -> bool {
    kind == KIND && drops(&stored.content)
}

/// An autoscaler as it is stored.
#[derive(Deserialize)]
struct Stored {
    spec: HorizontalPodAutoscalerSpec,
}

fn drops(content: &[u8]) -> bool {
    let Ok(Stored { spec }) = serde_json::from_slice(content) else {
        return false;
    };
    let behavior = spec.behavior.unwrap_or_default();
    let is_zero = |rules: Option<HPAScalingRules>| {
        let tolerance = rules.and_then(|rules| rules.tolerance);
        tolerance.is_some_and(|tolerance| tolerance.0 == "0")
    };
    !(is_zero(behavior.scale_up) && is_zero(behavior.scale_down))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_the_tolerance_is_told_from_others() {
        let refused = |kind: &str, message: &str| ApplyError::Invalid {
            kind: kind.to_owned(),
            name: "chat".to_owned(),
            message: message.to_owned(),
        };
        let words = "errors:\n  .spec.behavior.scaleUp.tolerance: field not declared in schema";
        assert!(is_refused(&refused(KIND, words)));
        assert!(!is_refused(&refused(KIND, "spec.maxReplicas: Invalid value")));
        assert!(!is_refused(&refused("Deployment", words)));
    }

    #[test]
    fn what_was_stored_tells_whether_it_was_dropped() {
        let stored = |up: Option<&str>, down: Option<&str>| {
            let rules = |tolerance| serde_json::json!({"selectPolicy": "Max", "tolerance": tolerance});
            let behavior = serde_json::json!({"scaleUp": rules(up), "scaleDown": rules(down)});
            let target = serde_json::json!({"kind": "Deployment", "name": "chat"});
            serde_json::to_vec(&serde_json::json!({
                "metadata": {}, "spec": {"maxReplicas": 5, "scaleTargetRef": target, "behavior": behavior}}))
            .unwrap()
        };
        assert!(!drops(&stored(Some("0"), Some("0"))));
        assert!(drops(&stored(None, None)));
        assert!(drops(&stored(Some("0"), None)));
        assert!(drops(&stored(Some("0"), Some("100m"))), "a webhook's");
        assert!(drops(
            br#"{"spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "chat"}}}"#
        ));
        assert!(!drops(b"{}"), "nothing is learned from what cannot be read");
    }

    #[test]
    fn what_is_lost_stays_lost_and_is_told_once() {
        let tolerance = Tolerance::new(true);
        let mut follower = tolerance.follow();
        assert!(tolerance.is_kept());
        tolerance.lose();
        assert!(!tolerance.is_kept() && follower.has_changed().unwrap());
        follower.mark_unchanged();
        tolerance.lose();
        assert!(!tolerance.is_kept() && !follower.has_changed().unwrap());
    }
}
