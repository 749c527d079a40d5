//! The operator's own metrics, all prefixed `llm_operator_`. In: observations; out: `OpenMetrics` text.
//! Labels are bounded: kinds, reasons, verbs and states, never names of objects.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};

use crate::key::ObjectKey;

/// `Content-Type` of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; a reconcile that writes nothing takes well under a millisecond, one that waits for the API a second.
const DURATION_BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WatchLabels {
    resource: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    kind: &'static str,
    state: String,
}

/// Handle to all metrics; clones share the same numbers.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    duration: Family<ReconcileLabels, Histogram, fn() -> Histogram>,
    errors: Family<ErrorLabels, Counter>,
    queue_depth: Gauge,
    queue_wait: Histogram,
    requests: Family<RequestLabels, Counter>,
    watch_restarts: Family<WatchLabels, Counter>,
    cached: Family<WatchLabels, Gauge>,
    leader: Gauge,
    events: Counter,
    events_dropped: Counter,
    states: Arc<ResourceStates>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

impl Metrics {
    /// A fresh set of metrics, all at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("llm_operator"))),
            duration: Family::new_with_constructor(durations as fn() -> Histogram),
            errors: Family::default(),
            queue_depth: Gauge::default(),
            queue_wait: durations(),
            requests: Family::default(),
            watch_restarts: Family::default(),
            cached: Family::default(),
            leader: Gauge::default(),
            events: Counter::default(),
            events_dropped: Counter::default(),
            states: Arc::default(),
        };
        metrics.register_all();
        metrics
    }

    fn register_all(&self) {
        let mut r = self.registry.lock();
        r.register(
            "reconcile_duration_seconds",
            "Time one reconcile took",
            self.duration.clone(),
        );
        r.register(
            "reconcile_errors",
            "Reconciles that failed, by kind and reason",
            self.errors.clone(),
        );
        r.register(
            "queue_depth",
            "Objects that wait for a worker",
            self.queue_depth.clone(),
        );
        r.register(
            "queue_wait_seconds",
            "Time between an object being due and its reconcile",
            self.queue_wait.clone(),
        );
        r.register(
            "api_requests",
            "Requests to the API server; code is the HTTP status, `timeout`, `error` or `fenced`",
            self.requests.clone(),
        );
        r.register(
            "watch_restarts",
            "Times a watch failed and was started again",
            self.watch_restarts.clone(),
        );
        r.register(
            "cached_objects",
            "Objects held by the watch caches",
            self.cached.clone(),
        );
        r.register(
            "leader",
            "1 while this process holds the lease",
            self.leader.clone(),
        );
        r.register("events", "Events written", self.events.clone());
        r.register(
            "events_dropped",
            "Events not written: too many for one object, or the API refused them",
            self.events_dropped.clone(),
        );
        r.register_collector(Box::new(self.states.clone()));
    }

    /// Lets another crate add its own metrics under the same prefix.
    pub fn with_registry<R>(&self, register: impl FnOnce(&mut Registry) -> R) -> R {
        register(&mut self.registry.lock())
    }

    /// All metrics as `OpenMetrics` text. Errors only when a metric cannot be formatted.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }

    /// Counts one finished reconcile; `reason` is set when it failed.
    pub fn reconciled(&self, kind: &'static str, took: Duration, reason: Option<&'static str>) {
        let result = if reason.is_some() { "error" } else { "ok" };
        self.duration
            .get_or_create(&ReconcileLabels { kind, result })
            .observe(took.as_secs_f64());
        if let Some(reason) = reason {
            self.errors.get_or_create(&ErrorLabels { kind, reason }).inc();
        }
    }

    /// Sets the number of objects that wait for a worker.
    pub fn set_queue_depth(&self, depth: usize) {
        self.queue_depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Records how long an object waited after it was due.
    pub fn queue_waited(&self, waited: Duration) {
        self.queue_wait.observe(waited.as_secs_f64());
    }

    /// Counts one API request. `code` is an HTTP status, `timeout`, `error` or `fenced`.
    pub fn api_request(&self, verb: &'static str, resource: &str, code: &str) {
        let labels = RequestLabels {
            verb,
            resource: resource.to_owned(),
            code: code.to_owned(),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts one failed watch of `resource`.
    pub fn watch_restarted(&self, resource: &str) {
        self.watch_restarts
            .get_or_create(&WatchLabels {
                resource: resource.to_owned(),
            })
            .inc();
    }

    /// Says how many more (or, below zero, fewer) objects of `resource` a cache holds.
    pub fn add_cached(&self, resource: &str, objects: i64) {
        let labels = WatchLabels {
            resource: resource.to_owned(),
        };
        self.cached.get_or_create(&labels).inc_by(objects);
    }

    /// Says whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Whether this process leads, as last told by [`Metrics::set_leader`].
    pub fn leads(&self) -> bool {
        self.leader.get() == 1
    }

    /// Counts one written event.
    pub fn event_written(&self) {
        self.events.inc();
    }

    /// Counts one event that was not written.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Remembers the state word of one resource for `resources{kind,state}`.
    pub fn set_state(&self, key: &ObjectKey, state: &str) {
        let mut states = self.states.0.write();
        match states.get_mut(key) {
            Some(known) if &**known == state => {}
            Some(known) => *known = state.into(),
            None => {
                states.insert(key.clone(), state.into());
            }
        }
    }

    /// Forgets a deleted resource, so that its state is no longer counted.
    pub fn remove_state(&self, key: &ObjectKey) {
        self.states.0.write().remove(key);
    }
}

/// State word per resource; counted only when somebody scrapes.
#[derive(Debug, Default)]
struct ResourceStates(RwLock<HashMap<ObjectKey, Box<str>>>);

impl Collector for ResourceStates {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut counts = std::collections::BTreeMap::<(&'static str, String), i64>::new();
        for (key, state) in self.0.read().iter() {
            *counts.entry((key.kind, state.to_string())).or_default() += 1;
        }
        let help = "Resources by kind and state";
        let mut family = encoder.encode_descriptor("resources", help, None, MetricType::Gauge)?;
        for ((kind, state), count) in counts {
            let labels = StateLabels { kind, state };
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_deleted_objects_disappear() {
        let metrics = Metrics::new();
        let (a, b) = (
            ObjectKey::new("Thing", "ns", "a"),
            ObjectKey::new("Thing", "ns", "b"),
        );
        metrics.set_state(&a, "Ready");
        metrics.set_state(&b, "Blocked");
        let text = metrics.encode().unwrap();
        assert!(
            text.contains(r#"llm_operator_resources{kind="Thing",state="Ready"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"llm_operator_resources{kind="Thing",state="Blocked"} 1"#),
            "{text}"
        );
        metrics.set_state(&a, "Blocked");
        metrics.remove_state(&b);
        let text = metrics.encode().unwrap();
        assert!(
            text.contains(r#"llm_operator_resources{kind="Thing",state="Blocked"} 1"#),
            "{text}"
        );
        assert!(!text.contains(r#"state="Ready""#), "{text}");
    }

    #[test]
    fn names_are_the_documented_ones() {
        let metrics = Metrics::new();
        metrics.reconciled("Thing", Duration::from_millis(3), Some("Panic"));
        metrics.api_request("apply", "deployments", "200");
        metrics.queue_waited(Duration::from_millis(1));
        let text = metrics.encode().unwrap();
        for name in [
            r#"llm_operator_reconcile_duration_seconds_count{kind="Thing",result="error"} 1"#,
            r#"llm_operator_reconcile_errors_total{kind="Thing",reason="Panic"} 1"#,
            r#"llm_operator_api_requests_total{verb="apply",resource="deployments",code="200"} 1"#,
            "llm_operator_queue_wait_seconds_count 1",
            "llm_operator_queue_depth 0",
            "llm_operator_leader 0",
        ] {
            assert!(text.contains(name), "{name} missing in\n{text}");
        }
    }
}
