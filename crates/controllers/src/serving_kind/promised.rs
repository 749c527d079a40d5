//! What a reconcile does about a promise: hands the resource to the scaling loop, carries its number, tells it.
//!
//! In: a plan, the autoscalers of its workload, the decision on the board. Out: who carries the number, a status and conditions. It
//! decides no number.

use std::sync::atomic::{AtomicBool, Ordering};

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

use super::{ServingKind, status::finding};
use crate::{
    context::Context,
    scaler::Scaler,
    scaling::{
        Decided, Expectation, MetricsApi, Subject, Subjects,
        reasons::{ANOTHER_AUTOSCALER, LATENCY_OBSERVABLE, NOT_DECIDED, SCALING_ACTIVE, STOPPED},
        scale::ScaleWriter,
        status,
        transport::{Carrier, carrier},
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
    /// An autoscaler of ours was stored without its tolerance.
    tolerance_lost: AtomicBool,
}

impl Promises {
    /// Nothing is promised yet.
    pub fn new(subjects: Subjects, metrics_api: watch::Receiver<MetricsApi>, scale: ScaleWriter) -> Self {
        Self {
            subjects,
            metrics_api,
            scale,
            tolerance_lost: AtomicBool::new(false),
        }
    }

    /// Who carries the number of a plan that scales.
    fn carrier(&self, scaler: Option<&Scaler>) -> Carrier {
        if scaler.is_some_and(|scaler| scaler.made_for.is_some() && !scaler.exact) {
            self.tolerance_lost.store(true, Ordering::Relaxed);
        }
        let keeps_tolerance = !self.tolerance_lost.load(Ordering::Relaxed);
        carrier(&self.metrics_api.borrow(), scaler, keeps_tolerance)
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
        promises.subjects.remove(key);
        return None;
    };
    let carrier = scaling.active().then(|| promises.carrier(scaler));
    let ours = carrier
        .as_ref()
        .is_some_and(|carrier| !matches!(carrier, Carrier::Theirs(_)));
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
            )
        })
        .flatten();
    match subject {
        Some(subject) => promises.subjects.set(subject),
        None => promises.subjects.remove(key),
    }
    let board = promises.subjects.board();
    Some(Promised {
        plan: scaling,
        carrier,
        decided: board.decision(K::POD_OWNER, &key.namespace, &key.name),
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
    /// The part of the status, and its conditions; `stored`: what the status says now.
    pub fn told(
        &self,
        stored: Option<&ScalingStatus>,
        generation: i64,
    ) -> (Option<ScalingStatus>, Vec<Finding>) {
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
            let message = "No number of replicas was decided on yet.";
            let waiting = finding(SCALING_ACTIVE, None, NOT_DECIDED, message.to_owned(), generation);
            return (stored.cloned(), vec![waiting]);
        };
        let status = status::scaling(decided, stored, carrier.transport());
        let mut findings = Vec::from(status::findings(decided, &status, generation));
        if let (Some(note), Some(active)) = (note, findings.first_mut()) {
            active.message = format!("{} {note}", active.message);
        }
        (Some(status), findings)
    }

    /// The replicas that have to be set on `/scale`; `asked`: what the workload is told now.
    pub fn to_set(&self, asked: i32) -> Option<u32> {
        let carried = matches!(self.carrier, Some(Carrier::Scale(_)));
        let wanted = self.decided.as_ref().filter(|_| carried)?.replicas;
        let least = u32::try_from(self.plan.least).unwrap_or_default();
        let wanted = wanted.max(least);
        (i64::from(wanted) != i64::from(asked)).then_some(wanted)
    }
}

fn inactive(reason: &str, message: String, generation: i64) -> Finding {
    finding(SCALING_ACTIVE, Some(false), reason, message, generation)
}

/// Conditions without those of a promise that nothing is told of any more.
pub fn without_stale(stored: &[Condition], findings: &[Finding]) -> Vec<Condition> {
    let told = |type_: &str| findings.iter().any(|finding| finding.type_ == type_);
    let stale = |type_: &str| [SCALING_ACTIVE, LATENCY_OBSERVABLE].contains(&type_) && !told(type_);
    stored
        .iter()
        .filter(|condition| !stale(&condition.type_))
        .cloned()
        .collect()
}
