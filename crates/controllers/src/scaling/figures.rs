//! What was decided, as the operator's own metrics, one series per resource that scales.
//!
//! In: decisions. Out: series `llm_operator_scaling_…{kind,namespace,name}`. Series go with their resources.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::RwLock;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use reconcile::{Metrics, ObjectKey};
use scraper::Totals;

use super::Decided;

#[derive(Clone, Debug, Default)]
struct Figure {
    desired: f64,
    arrivals: f64,
    ready_for: f64,
    capacity: f64,
    startup: f64,
    waiting: f64,
    idle: f64,
    asked: u64,
    failed: u64,
    woken: u64,
}

#[derive(Debug, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    namespace: String,
    name: String,
}

/// See the module. Clones are the same figures.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<RwLock<BTreeMap<ObjectKey, Figure>>>);

impl Figures {
    /// Figures that `metrics` exports; once per process.
    pub fn registered(metrics: &Metrics) -> Self {
        let figures = Self::default();
        let collected = figures.clone();
        metrics.with_registry(|registry| registry.register_collector(Box::new(collected)));
        figures
    }

    pub(crate) fn set(&self, key: &ObjectKey, decided: &Decided, quiet: Option<Duration>, totals: Totals) {
        let (inputs, capacity) = (&decided.decision.inputs, &decided.decision.capacity);
        let mut figures = self.0.write();
        let woken = figures.get(key).map_or(0, |figure| figure.woken);
        let figure = Figure {
            desired: f64::from(decided.replicas),
            arrivals: inputs.arrivals,
            ready_for: inputs.ready_for,
            capacity: capacity.rate,
            startup: inputs.startup_seconds,
            waiting: inputs.waiting,
            idle: quiet.unwrap_or_default().as_secs_f64(),
            asked: totals.asked,
            failed: totals.failed,
            woken,
        };
        figures.insert(key.clone(), figure);
    }

    /// It comes back from zero.
    pub(crate) fn woke(&self, key: &ObjectKey) {
        if let Some(figure) = self.0.write().get_mut(key) {
            figure.woken = figure.woken.saturating_add(1);
        }
    }

    pub(crate) fn remove(&self, key: &ObjectKey) {
        self.0.write().remove(key);
    }
}

type Gauge = (&'static str, &'static str, fn(&Figure) -> f64);
type Count = (&'static str, &'static str, fn(&Figure) -> u64);

const GAUGES: [Gauge; 7] = [
    ("scaling_desired_replicas", "Replicas that were decided on", |f| {
        f.desired
    }),
    (
        "scaling_arrivals_per_second",
        "Requests per second that arrive",
        |f| f.arrivals,
    ),
    (
        "scaling_ready_for_per_second",
        "Requests per second for which replicas are ordered",
        |f| f.ready_for,
    ),
    (
        "scaling_replica_capacity_per_second",
        "Requests per second that one replica sustains within what was promised, as learned",
        |f| f.capacity,
    ),
    (
        "scaling_startup_seconds",
        "Seconds from a replica's order to its service, as learned",
        |f| f.startup,
    ),
    (
        "scaling_waiting_requests",
        "Requests that wait in replicas",
        |f| f.waiting,
    ),
    (
        "scaling_idle_seconds",
        "Seconds for which all replicas were seen without a request, where that may take them to zero",
        |f| f.idle,
    ),
];
const COUNTS: [Count; 3] = [
    (
        "scaling_scrapes",
        "Times that replicas were asked for metrics",
        |f| f.asked,
    ),
    (
        "scaling_scrape_failures",
        "Times that a replica gave no usable metrics",
        |f| f.failed,
    ),
    (
        "scaling_wakes",
        "Times that replicas came back after there were none",
        |f| f.woken,
    ),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.read();
        let labels = |key: &ObjectKey| Labels {
            kind: key.kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
        };
        for (name, help, value) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (key, figure) in figures.iter() {
                ConstGauge::new(value(figure)).encode(family.encode_family(&labels(key))?)?;
            }
        }
        for (name, help, value) in COUNTS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (key, figure) in figures.iter() {
                ConstCounter::new(value(figure)).encode(family.encode_family(&labels(key))?)?;
            }
        }
        Ok(())
    }
}
