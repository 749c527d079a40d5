//! Events as kubelet records them: one object per Pod, container and message, its count raised on repetition,
//! and at most 25 writes in a burst per Pod. It must not hold up the caller: writing happens in the background.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, Patch, PatchParams, PostParams};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::mpsc;

/// Writers at work at once; an object's Events all go through the same one, so they keep their order.
const WRITERS: usize = 4;
/// Most Events of one object in a burst, and the seconds after which one more is allowed (client-go's defaults).
const BURST: f64 = 25.0;
const REFILL_SECONDS: f64 = 300.0;

enum Write {
    Create(Box<Event>),
    Count {
        namespace: String,
        name: String,
        count: i32,
        last: Timestamp,
    },
}

/// Where Events are written. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct EventSink {
    writers: Vec<mpsc::UnboundedSender<Write>>,
    normal: bool,
}

impl EventSink {
    /// Starts the writers on the current runtime; without `normal`, only Warnings are written.
    pub(crate) fn start(client: &kube::Client, normal: bool) -> Self {
        let writer = |_| {
            let (sender, writes) = mpsc::unbounded_channel();
            tokio::spawn(write_all(client.clone(), writes));
            sender
        };
        Self {
            writers: (0..WRITERS).map(writer).collect(),
            normal,
        }
    }

    fn send(&self, about: &ObjectReference, write: Write) {
        let mut hasher = DefaultHasher::new();
        about.uid.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % WRITERS as u64).unwrap_or(0);
        if let Some(writer) = self.writers.get(shard) {
            // Nobody listens when the nodes are being stopped; the Event is then of no use.
            let _ = writer.send(write);
        }
    }
}

async fn write_all(client: kube::Client, mut writes: mpsc::UnboundedReceiver<Write>) {
    while let Some(write) = writes.recv().await {
        let result = match write {
            Write::Create(event) => {
                let namespace = event.metadata.namespace.clone().unwrap_or_default();
                let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
                events.create(&PostParams::default(), &event).await.map(drop)
            }
            Write::Count {
                namespace,
                name,
                count,
                last,
            } => {
                let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
                let patch = json!({ "count": count, "lastTimestamp": Time(last) });
                events
                    .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                    .await
                    .map(drop)
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "an Event was not written");
        }
    }
}

#[derive(Debug)]
struct Sent {
    name: String,
    count: i32,
}

#[derive(Debug)]
struct Budget {
    tokens: f64,
    at: Timestamp,
}

impl Budget {
    fn spend(&mut self, now: Timestamp) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed / REFILL_SECONDS).min(BURST);
        self.at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[derive(Debug)]
struct Past {
    sent: HashMap<(String, String, String), Sent>,
    budget: Budget,
}

/// Records Events about one object.
#[derive(Debug)]
pub(crate) struct Recorder {
    sink: EventSink,
    about: ObjectReference,
    source: EventSource,
    past: Mutex<Past>,
}

impl Recorder {
    /// A recorder for Events about `about`, told by `component` on `node` (empty: no node).
    pub(crate) fn new(sink: EventSink, about: ObjectReference, component: &str, node: &str) -> Self {
        let source = EventSource {
            component: Some(component.to_owned()),
            host: Some(node.to_owned()).filter(|n| !n.is_empty()),
        };
        let budget = Budget {
            tokens: BURST,
            at: Timestamp::now(),
        };
        Self {
            sink,
            about,
            source,
            past: Mutex::new(Past {
                sent: HashMap::new(),
                budget,
            }),
        }
    }

    /// A Normal Event; `field` is the part of the object, such as `spec.containers{engine}`.
    pub(crate) fn normal(&self, field: &str, reason: &str, message: impl Into<String>) {
        if self.sink.normal {
            self.record("Normal", field, reason, message.into());
        }
    }

    /// A Warning Event.
    pub(crate) fn warning(&self, field: &str, reason: &str, message: impl Into<String>) {
        self.record("Warning", field, reason, message.into());
    }

    fn record(&self, kind: &str, field: &str, reason: &str, message: String) {
        let now = Timestamp::now();
        let mut past = self.past.lock();
        if !past.budget.spend(now) {
            return;
        }
        let key = (field.to_owned(), reason.to_owned(), message.clone());
        let write = if let Some(sent) = past.sent.get_mut(&key) {
            sent.count += 1;
            let namespace = self.about.namespace.clone().unwrap_or_default();
            Write::Count {
                namespace,
                name: sent.name.clone(),
                count: sent.count,
                last: now,
            }
        } else {
            let name = format!(
                "{}.{:x}",
                self.about.name.as_deref().unwrap_or_default(),
                now.as_nanosecond()
            );
            past.sent.insert(
                key,
                Sent {
                    name: name.clone(),
                    count: 1,
                },
            );
            Write::Create(Box::new(self.event(name, kind, field, reason, message, now)))
        };
        self.sink.send(&self.about, write);
    }

    fn event(
        &self,
        name: String,
        kind: &str,
        field: &str,
        reason: &str,
        message: String,
        now: Timestamp,
    ) -> Event {
        let field_path = Some(field.to_owned()).filter(|f| !f.is_empty());
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: self.about.namespace.clone(),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                field_path,
                ..self.about.clone()
            },
            type_: Some(kind.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            reporting_component: self.source.component.clone(),
            reporting_instance: self.source.host.clone(),
            source: Some(self.source.clone()),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> (Recorder, mpsc::UnboundedReceiver<Write>) {
        let (sender, writes) = mpsc::unbounded_channel();
        let sink = EventSink {
            writers: vec![sender; WRITERS],
            normal: false,
        };
        let about = ObjectReference {
            name: Some("p".into()),
            ..ObjectReference::default()
        };
        (Recorder::new(sink, about, "kubelet", "n"), writes)
    }

    #[test]
    fn repetition_raises_the_count_and_normal_events_can_be_off() {
        let (recorder, mut writes) = recorder();
        recorder.normal("", "Pulled", "ok");
        recorder.warning("", "BackOff", "again");
        recorder.warning("", "BackOff", "again");
        assert!(matches!(writes.try_recv(), Ok(Write::Create(_))));
        assert!(matches!(writes.try_recv(), Ok(Write::Count { count: 2, .. })));
        assert!(writes.try_recv().is_err());
    }

    #[test]
    fn a_flood_is_cut_off() {
        let (recorder, mut writes) = recorder();
        (0..100).for_each(|n| recorder.warning("", "Unhealthy", format!("probe {n}")));
        let written = std::iter::from_fn(|| writes.try_recv().ok()).count();
        assert_eq!(written, 25);
    }
}
