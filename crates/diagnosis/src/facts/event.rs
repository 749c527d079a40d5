//! A Warning event about a Pod or a claim, reduced.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::boxed;

/// What a diagnosis needs of an event.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EventFacts {
    /// Uid of the object the event is about.
    pub involved_uid: Box<str>,
    /// Kind of that object, e.g. `Pod`.
    pub involved_kind: Box<str>,
    /// Namespace of that object.
    pub namespace: Box<str>,
    /// Name of that object.
    pub involved_name: Box<str>,
    /// The container the event is about, if any (from `spec.containers{engine}`).
    pub container: Option<Box<str>>,
    /// E.g. `Unhealthy`, `FailedMount`.
    pub reason: Box<str>,
    /// The reporter's words.
    pub message: Box<str>,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// How often it was seen, at least 1.
    pub count: i32,
}

impl From<&Event> for EventFacts {
    fn from(event: &Event) -> Self {
        let object = &event.involved_object;
        let series = event.series.as_ref();
        Self {
            involved_uid: object.uid.as_deref().unwrap_or_default().into(),
            involved_kind: object.kind.as_deref().unwrap_or_default().into(),
            namespace: object.namespace.as_deref().unwrap_or_default().into(),
            involved_name: object.name.as_deref().unwrap_or_default().into(),
            container: object
                .field_path
                .as_deref()
                .and_then(|path| Some(path.split_once('{')?.1.split_once('}')?.0.into())),
            reason: boxed(event.reason.as_ref()).unwrap_or_default(),
            message: boxed(event.message.as_ref()).unwrap_or_default(),
            last_seen: series
                .and_then(|series| series.last_observed_time.as_ref())
                .map(|time| time.0)
                .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
                .or_else(|| event.event_time.as_ref().map(|time| time.0)),
            count: series
                .and_then(|series| series.count)
                .or(event.count)
                .unwrap_or(1)
                .max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_event_names_its_container_and_last_time() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "code-1.17", "namespace": "ml"},
            "involvedObject": {"kind": "Pod", "name": "code-1", "namespace": "ml", "uid": "u1",
                "fieldPath": "spec.containers{engine}"},
            "reason": "Unhealthy", "message": "Readiness probe failed: x", "type": "Warning",
            "count": 4, "lastTimestamp": "2026-11-01T10:00:00Z"
        }))
        .unwrap();
        let facts = EventFacts::from(&event);
        assert_eq!(facts.container.as_deref(), Some("engine"));
        assert_eq!(facts.count, 4);
        assert_eq!(facts.last_seen.unwrap().to_string(), "2026-11-01T10:00:00Z");
        assert_eq!(&*facts.involved_uid, "u1");
    }
}
