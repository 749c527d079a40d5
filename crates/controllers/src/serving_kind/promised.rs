//! What a reconcile does about a promise: hands the resource to the scaling loop, carries its number, tells it.
//!
//! In: a plan, the autoscalers of its workload, the decision on the board. Out: who carries the number, a status and conditions. It
//! decides no number.

use api::shared::ScalingStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reconcile::{ObjectKey, conditions::Finding};
use serving::{
    catalogue::Catalogue,
    plan::{ScalingPlan, ServingPlan},
    sizing::{Ask, size},
    source::ModelSource,
};
use tokio::sync::watch;

use super::{
    ServingKind,
    observe::owned,
    status::{ServingStatus, finding},
};
use crate::{
    context::Context,
    scaler::Scaler,
    scaling::{
        Decided, Expectation, Latency, MetricsApi, Subject, Subjects, Tolerance,
        reasons::{ANOTHER_AUTOSCALER, LATENCY_OBSERVABLE, NOT_DECIDED, SCALING_ACTIVE, STOPPED},
        scale::ScaleWriter,
        status,
        transport::{Carrier, carrier},
        wake,
    },
};

/// What reconciles share to keep promises.
pub struct Promises {
    /// Resources that scale.
    pub subjects: Subjects,
    /// Where the metrics API stands.
    pub metrics_api: watch::Receiver<MetricsApi>,
    /// Sets replicas where no autoscaler can.
    pub scale: ScaleWriter,
    /// Whether an autoscaler of ours would be what we ask for.
    pub tolerance: Tolerance,
}

impl Promises {
    /// Who carries the number of a plan that scales.
    fn carrier(&self, scaler: Option<&Scaler>) -> Carrier {
        carrier(&self.metrics_api.borrow(), scaler, self.tolerance.is_kept())
    }

    /// The resource is gone, or promises nothing any more.
    pub fn forget(&self, key: &ObjectKey) {
        self.subjects.remove(key);
    }
}

/// A promise at the time of one reconcile.
#[derive(Debug)]
pub struct Promised {
    /// Its bounds.
    plan: ScalingPlan,
    /// Who carries the number; `None` where nothing runs on purpose.
    pub carrier: Option<Carrier>,
    /// What was decided.
    pub decided: Option<Decided>,
    /// Nobody uses it: its workload has no replicas until somebody asks for some.
    pub at_zero: bool,
}

/// Hands the resource to the scaling loop, or takes it away; and says what stands about its promise.
pub fn promised<K: ServingKind>(
    context: &Context,
    key: &ObjectKey,
    resource: &K,
    plan: &ServingPlan,
    scaler: Option<&Scaler>,
) -> Option<Promised> {
    let promises = &context.promises;
    let Some(scaling) = plan.scaling else {
        promises.forget(key);
        return None;
    };
    let carrier = scaling.active().then(|| promises.carrier(scaler));
    let workload = context.caches.workload(K::WORKLOAD, &key.namespace, &plan.name);
    // The name is taken: nothing is decided about another resource's Pods.
    let foreign = workload.is_some_and(|child| !owned(&child, &plan.identity.uid));
    let by_us = |carrier: &Carrier| !matches!(carrier, Carrier::Theirs(_));
    let ours = !foreign && carrier.as_ref().is_some_and(by_us);
    let stored = resource.stored().scaling;
    let subject = ours
        .then(|| {
            Subject::of(
                key.clone(),
                K::POD_OWNER,
                plan,
                K::GPU_COUNT_FIELD,
                expectation(plan, &context.caches.catalogue.get()),
                stored,
                wake::word(resource.meta()),
            )
        })
        .flatten();
    match subject {
        Some(subject) => promises.subjects.set(subject),
        None => promises.subjects.remove(key),
    }
    let board = promises.subjects.board();
    let decided = board.decision(K::POD_OWNER, &key.namespace, &key.name);
    let at_zero = ours && scaling.idle_after.is_some() && {
        let stored = || {
            resource
                .stored()
                .scaling
                .and_then(|stored| stored.desired_replicas)
        };
        // An operator that has just started goes on from what is stored.
        let decided = decided.as_ref().map(|decided| decided.replicas == 0);
        decided.unwrap_or_else(|| stored() == Some(0))
    };
    Some(Promised {
        plan: scaling,
        carrier,
        decided,
        at_zero,
    })
}

/// What is expected of a model: by its sizing, else by what the catalogue knows of its name, on GPUs of a type that is said.
fn expectation(plan: &ServingPlan, catalogue: &Catalogue) -> Expectation {
    let known = || {
        let gpu = plan.gpu.as_ref()?;
        let names = plan.source.iter().map(ModelSource::model_name);
        let mut names = names.chain([plan.model_name.as_str()]);
        let entry = names.find_map(|name| catalogue.recognize(name))?.entry;
        let ask = Ask {
            gpu_type: Some(gpu.product.as_deref()?),
            gpus: Some(gpu.count),
            ..Ask::default()
        };
        Some(size(entry, &ask).ok()?.performance)
    };
    let performance = plan.sizing.as_deref().map(|sizing| sizing.performance);
    performance
        .or_else(known)
        .map_or_else(Expectation::default, |performance| {
            Expectation::from(&performance)
        })
}

impl Promised {
    /// The part of the status, and its conditions; `stored`: what the status says now. It stays while nothing is known, as after
    /// a restart.
    pub fn told(&self, stored: &ServingStatus, generation: i64) -> (Option<ScalingStatus>, Vec<Finding>) {
        let kept = |type_| kept(stored, type_, generation);
        let stored = stored.scaling.as_ref();
        let Some(carrier) = &self.carrier else {
            let message =
                "No replicas are asked for, so nothing is scaled. Raise the number of replicas to serve.";
            return (None, vec![inactive(STOPPED, message.to_owned(), generation)]);
        };
        let note = carrier.note();
        if let (Carrier::Theirs(_), Some(note)) = (carrier, &note) {
            return (None, vec![inactive(ANOTHER_AUTOSCALER, note.clone(), generation)]);
        }
        let Some(decided) = &self.decided else {
            if stored.is_some() {
                // An operator that has just started; what the last one told holds until there is something new.
                return (stored.cloned(), Vec::new());
            }
            let message = "No number of replicas was decided on yet.";
            let waiting = finding(SCALING_ACTIVE, None, NOT_DECIDED, message.to_owned(), generation);
            return (stored.cloned(), vec![waiting]);
        };
        let status = status::scaling(decided, stored, carrier.transport());
        let mut findings = Vec::from(status::findings(decided, &status, generation));
        if let (Some(note), Some(active)) = (note, findings.first_mut()) {
            active.message = format!("{} {note}", active.message);
        }
        if decided.latency == Latency::Unknown
            && let (Some(kept), Some(observable)) = (kept(LATENCY_OBSERVABLE), findings.last_mut())
        {
            *observable = kept;
        }
        (Some(status), findings)
    }

    /// The replicas that have to be set on `/scale`; `asked`: what the workload is told now. To zero and back are not set here: the
    /// scaling loop does so once, and whoever sets something else meanwhile is heard.
    pub fn to_set(&self, asked: i32) -> Option<u32> {
        if self.plan.idle_after.is_some() && (self.at_zero || asked == 0) {
            return None;
        }
        let carried = matches!(self.carrier, Some(Carrier::Scale(_)));
        let wanted = self.decided.as_ref().filter(|_| carried)?.replicas;
        let least = u32::try_from(self.plan.least).unwrap_or_default();
        let wanted = wanted.max(least);
        (i64::from(wanted) != i64::from(asked)).then_some(wanted)
    }
}

/// A condition as it is stored beside a decision.
fn kept(stored: &ServingStatus, type_: &'static str, generation: i64) -> Option<Finding> {
    stored.scaling.as_ref()?;
    let condition = stored.conditions.iter().find(|one| one.type_ == type_)?;
    let status = match condition.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    };
    let (reason, message) = (&condition.reason, condition.message.clone());
    Some(finding(type_, status, reason, message, generation))
}

fn inactive(reason: &str, message: String, generation: i64) -> Finding {
    finding(SCALING_ACTIVE, Some(false), reason, message, generation)
}

/// Conditions without those of a promise that does not stand any more; `stands`: what was told of it holds.
pub fn without_stale(stored: &[Condition], findings: &[Finding], stands: bool) -> Vec<Condition> {
    let told = |type_: &str| findings.iter().any(|finding| finding.type_ == type_);
    let promise = |type_: &str| [SCALING_ACTIVE, LATENCY_OBSERVABLE].contains(&type_);
    let stale = |type_: &str| !stands && promise(type_) && !told(type_);
    stored
        .iter()
        .filter(|condition| !stale(&condition.type_))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use autoscale::Reason;
    use serving::plan::Promise;

    use super::*;
    use crate::scaling::test_bed::decided;

    /// What is set on a workload that is told `asked` while `wanted` are decided on.
    fn to_set(carrier: Carrier, idle: bool, wanted: u32, asked: i32) -> Option<u32> {
        let promise = Promise {
            time_to_first_token: None,
            time_per_output_token: Some(Duration::from_millis(50)),
            output_tokens_per_second: None,
            attainment_ppm: 990_000,
        };
        let promised = Promised {
            plan: ScalingPlan {
                least: 2,
                most: 8,
                idle_after: idle.then_some(Duration::from_mins(15)),
                promise,
            },
            carrier: Some(carrier),
            decided: Some(decided(wanted, Reason::Enough)),
            at_zero: idle && wanted == 0,
        };
        promised.to_set(asked)
    }

    #[test]
    fn numbers_are_set_where_no_autoscaler_is_but_not_to_zero_and_back() {
        let scale = || Carrier::Scale("why".to_owned());
        assert_eq!(to_set(scale(), false, 4, 3), Some(4));
        assert_eq!(to_set(scale(), false, 4, 4), None);
        assert_eq!(to_set(scale(), false, 4, 0), Some(4));
        assert_eq!(to_set(scale(), true, 4, 3), Some(4));
        assert_eq!(to_set(scale(), true, 4, 0), None, "the loop wakes");
        assert_eq!(to_set(scale(), true, 0, 3), None, "somebody has woken it");
        assert_eq!(
            to_set(scale(), false, 0, 0),
            Some(2),
            "it must not be at zero any more"
        );
        assert_eq!(to_set(Carrier::Autoscaler, true, 4, 3), None);
    }
}
