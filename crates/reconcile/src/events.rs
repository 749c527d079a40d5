//! Kubernetes Events, one per change that a caller reports. In: what happened to which object. Out: core/v1 Events,
//! written by one background task.
//!
//! Recording never waits and never fails a reconcile: what is too much for one object, or refused, is counted and
//! dropped. Only the leader writes. Core/v1 rather than events.k8s.io/v1, because only there `lastTimestamp` may be
//! set, by which `kubectl get events --sort-by=.lastTimestamp` sorts.

use std::{collections::HashMap, fmt, time::Duration};

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{jitter::random, metrics::Metrics};

/// Longest note the API accepts, in bytes.
pub const NOTE_LIMIT: usize = 1024;
/// Events of one object that may be written at once.
const BURST: f64 = 10.0;
/// Then one more per this time.
const REFILL: Duration = Duration::from_secs(30);
/// Events waiting to be written; more are dropped.
const QUEUE: usize = 4096;

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// As intended.
    Normal,
    /// Something is wrong.
    Warning,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Whether somebody should look.
    pub kind: EventKind,
    /// The object it happened to, with uid, so that `kubectl describe` shows it.
    pub regarding: ObjectReference,
    /// Documented `CamelCase` reason.
    pub reason: String,
    /// What was done or tried, e.g. `Apply`.
    pub action: String,
    /// The sentence; cut after [`NOTE_LIMIT`] bytes.
    pub note: String,
}

/// Takes events; clones share one queue.
#[derive(Clone)]
pub struct EventRecorder {
    sender: mpsc::Sender<Order>,
    metrics: Metrics,
}

/// What the writer is asked for, in this order.
enum Order {
    Write(Box<NewEvent>),
    /// Answer when everything before is done.
    Flush(oneshot::Sender<()>),
}

impl fmt::Debug for EventRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRecorder").finish_non_exhaustive()
    }
}

impl EventRecorder {
    /// Starts the writer task, which ends when the last clone is dropped. `component` and `instance` name this
    /// operator and this process. Must be called inside a tokio runtime.
    pub fn start(client: Client, component: &str, instance: &str, metrics: Metrics) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = Writer {
            client,
            component: component.to_owned(),
            instance: instance.to_owned(),
            metrics: metrics.clone(),
            budgets: Budgets::default(),
        };
        tokio::spawn(writer.run(receiver));
        Self { sender, metrics }
    }

    /// Hands an event to the writer. Returns at once; does nothing while this process does not lead.
    pub fn record(&self, event: NewEvent) {
        if self.metrics.leads() && self.sender.try_send(Order::Write(Box::new(event))).is_err() {
            self.metrics.event_dropped();
        }
    }

    /// Returns when everything that was recorded before is written or dropped: before the lease is given back.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.sender.send(Order::Flush(done)).await.is_ok() {
            // An error says that the writer is gone, and with it what could be waited for.
            let _ = wait.await;
        }
    }
}

struct Writer {
    client: Client,
    component: String,
    instance: String,
    metrics: Metrics,
    budgets: Budgets,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Order>) {
        while let Some(order) = receiver.recv().await {
            match order {
                Order::Write(event) => self.write(*event).await,
                // Nobody waits any more: nothing to tell.
                Order::Flush(done) => drop(done.send(())),
            }
        }
    }

    async fn write(&mut self, event: NewEvent) {
        let object = event.regarding.uid.clone().unwrap_or_default();
        // The lease may have been lost since this was recorded.
        if !self.metrics.leads() || !self.budgets.take(object, Instant::now()) {
            self.metrics.event_dropped();
            return;
        }
        let event = to_event(event, &self.component, &self.instance, Timestamp::now());
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => self.metrics.event_written(),
            Err(error) => {
                self.metrics.event_dropped();
                let why = crate::apply::innermost(&error);
                tracing::debug!(reason = event.reason, "event not written: {why}");
            }
        }
    }
}

/// Events that each object may still have; a token bucket per uid.
#[derive(Debug, Default)]
struct Budgets(HashMap<String, (f64, Instant)>);

impl Budgets {
    fn take(&mut self, object: String, now: Instant) -> bool {
        if self.0.len() > 4096 {
            // A full bucket and no bucket are the same.
            self.0
                .retain(|_, (left, since)| refilled(*left, *since, now) < BURST);
        }
        let (left, since) = self.0.entry(object).or_insert((BURST, now));
        let available = refilled(*left, *since, now);
        let granted = available >= 1.0;
        (*left, *since) = (if granted { available - 1.0 } else { available }, now);
        granted
    }
}

fn refilled(left: f64, since: Instant, now: Instant) -> f64 {
    let earned = now.saturating_duration_since(since).as_secs_f64() / REFILL.as_secs_f64();
    (left + earned).min(BURST)
}

fn to_event(event: NewEvent, component: &str, instance: &str, now: Timestamp) -> Event {
    let regarding = event.regarding;
    // Events of cluster-scoped objects live in `default`, as the API demands.
    let namespace = regarding
        .namespace
        .clone()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".into());
    let object = regarding.name.clone().unwrap_or_default();
    // Names have at most 253 characters; names of objects are ASCII.
    let prefix: String = object.chars().take(230).collect();
    let time = Some(Time(now));
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{:016x}", random())),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: regarding,
        type_: Some(
            if event.kind == EventKind::Normal {
                "Normal"
            } else {
                "Warning"
            }
            .to_owned(),
        ),
        reason: Some(event.reason),
        action: Some(event.action).filter(|action| !action.is_empty()),
        message: Some(cut(event.note, NOTE_LIMIT)),
        count: Some(1),
        first_timestamp: time.clone(),
        last_timestamp: time,
        source: Some(EventSource {
            component: Some(component.to_owned()),
            host: None,
        }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

/// `text` shortened to at most `limit` bytes without splitting a character; an ellipsis shows that it was cut.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut end = limit - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_between_characters() {
        for length in 1020..1030 {
            let note = cut("ü".repeat(length / 2) + "x", NOTE_LIMIT);
            assert!(note.len() <= NOTE_LIMIT, "{}", note.len());
        }
        assert_eq!(cut("short".into(), NOTE_LIMIT), "short");
        assert!(cut("ü".repeat(1000), NOTE_LIMIT).ends_with("ü…"));
    }

    #[test]
    fn one_noisy_object_is_bounded_and_others_are_not() {
        let (mut budgets, start) = (Budgets::default(), Instant::now());
        let granted = (0..100).filter(|_| budgets.take("noisy".into(), start)).count();
        assert_eq!(granted, 10);
        assert!(budgets.take("quiet".into(), start));
        assert!(!budgets.take("noisy".into(), start + REFILL / 2));
        assert!(budgets.take("noisy".into(), start + REFILL));
    }

    #[test]
    fn an_event_shows_well_in_kubectl() {
        let regarding = ObjectReference {
            kind: Some("Thing".into()),
            name: Some("t".repeat(253)),
            namespace: Some("ns".into()),
            ..ObjectReference::default()
        };
        let new = NewEvent {
            kind: EventKind::Warning,
            regarding,
            reason: "Why".into(),
            action: "Apply".into(),
            note: "n".into(),
        };
        let a = to_event(new.clone(), "llm-operator", "pod-1", Timestamp::now());
        let b = to_event(new, "llm-operator", "pod-1", Timestamp::now());
        assert_ne!(a.metadata.name, b.metadata.name);
        assert!(a.metadata.name.unwrap().len() <= 253);
        assert_eq!(a.type_.as_deref(), Some("Warning"));
        assert!(a.last_timestamp.is_some() && a.count == Some(1));
        assert_eq!(a.source.unwrap().component.as_deref(), Some("llm-operator"));
    }
}
