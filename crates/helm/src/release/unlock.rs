//! Taking a lock off: a `pending-*` revision whose Helm is gone is marked as failed.
//!
//! What comes out is what Helm's storage driver would write when Helm itself marked it so: the status in the payload, which Helm
//! reads, and the label, which Helm selects by. Nothing else of the payload changes, down to the way its numbers are written.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::Status;

/// How the description of a revision begins whose lock was taken off.
pub(super) const PREFIX: &str = "Unlocked: ";

/// A JSON merge patch of one Secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Unlock {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// The patch. It names the resource version that was seen: if Helm writes meanwhile, the API server refuses it with a conflict.
    pub patch: Value,
}

impl Unlock {
    pub(super) fn new(
        namespace: &str,
        secret: &str,
        resource_version: Option<&str>,
        payload: &[u8],
        now: Timestamp,
    ) -> Self {
        let mut patch = json!({
            "metadata": {
                "labels": {
                    "status": Status::Failed.as_str(),
                    "modifiedAt": now.as_second().to_string(),
                    // Helm's driver leaves it out of every update.
                    "createdAt": null,
                },
            },
            "data": { "release": STANDARD.encode(payload) },
        });
        if let Some(version) = resource_version {
            patch["metadata"]["resourceVersion"] = json!(version);
        }
        Self {
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            patch,
        }
    }
}

/// The release's JSON, marked as failed.
pub(super) fn payload(json: &[u8], stuck: Status) -> Result<Vec<u8>, serde_json::Error> {
    type Fields = BTreeMap<String, Box<RawValue>>;
    let mut release: Fields = serde_json::from_slice(json)?;
    let mut info: Fields = match release.get("info") {
        Some(info) => serde_json::from_str(info.get())?,
        None => Fields::new(),
    };
    let description = format!("{PREFIX}left {stuck} by a Helm that ended before it was done");
    info.insert(
        "status".to_owned(),
        serde_json::value::to_raw_value(Status::Failed.as_str())?,
    );
    info.insert(
        "description".to_owned(),
        serde_json::value::to_raw_value(&description)?,
    );
    release.insert("info".to_owned(), serde_json::value::to_raw_value(&info)?);
    serde_json::to_vec(&release)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;
    use crate::release::{StoredRelease, fixture, payload as packing};

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    /// What the API server does with a merge patch.
    fn merge(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            target.clone_from(patch);
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (key, value) in patch {
            if value.is_null() {
                target.as_object_mut().unwrap().remove(key);
            } else {
                merge(&mut target[key], value);
            }
        }
    }

    #[test]
    fn an_unlocked_revision_is_read_as_failed_and_otherwise_the_same() {
        let secret = fixture::secret(&fixture::release(4, "pending-upgrade"));
        let stuck = StoredRelease::read(&secret).unwrap();
        let unlock = stuck.unlock(now()).unwrap();
        assert_eq!(
            (unlock.namespace.as_str(), unlock.secret.as_str()),
            ("llm-d", "sh.helm.release.v1.demo.v4")
        );
        assert_eq!(
            unlock.patch["metadata"]["resourceVersion"], "41",
            "a Helm that still writes wins"
        );

        let mut patched = serde_json::to_value(&secret).unwrap();
        merge(&mut patched, &unlock.patch);
        let patched: Secret = serde_json::from_value(patched).unwrap();
        let labels = patched.metadata.labels.clone().unwrap();
        assert_eq!(labels["status"], "failed");
        assert_eq!(labels["modifiedAt"], "1767268800");
        assert_eq!(labels["version"], "4");
        assert_eq!(labels["example.com/ours"], "yes");
        assert!(!labels.contains_key("createdAt"));

        let unlocked = StoredRelease::read(&patched).unwrap();
        assert!(unlocked.head().was_interrupted() && !unlocked.head().was_good());
        let mut expected = stuck.head().clone();
        expected.status = Status::Failed;
        "Unlocked: left pending-upgrade by a Helm that ended before it was done"
            .clone_into(&mut expected.description);
        assert_eq!(*unlocked.head(), expected);
        assert_eq!(unlocked.decode().unwrap(), stuck.decode().unwrap());
    }

    #[test]
    fn nothing_else_of_the_payload_changes() {
        let json = r#"{"info":{"status":"pending-install","notes":"a\u00e9\n","resources":{"v1/Pod":[{"n":1.50}]}},"config":{"big":12345678901234567890123,"exact":0.10},"z":null}"#;
        let failed = payload(json.as_bytes(), Status::PendingInstall).unwrap();
        let failed = String::from_utf8(failed).unwrap();
        for part in [
            r#""config":{"big":12345678901234567890123,"exact":0.10}"#,
            r#""notes":"a\u00e9\n""#,
            r#""resources":{"v1/Pod":[{"n":1.50}]}"#,
            r#""z":null"#,
            r#""status":"failed""#,
        ] {
            assert!(failed.contains(part), "{part} is not in {failed}");
        }
    }

    #[test]
    fn bytes_that_another_program_packed_are_read() {
        const GOLDEN: &str = "H4sIAAAAAAACA42PzWrDMAzHX8XoHJekhQ1y2ztslxIYWiRnZo4cbLVrKXn32WkZOw50kM3v/6EbCM4MPUwxEAs04MVF6G/gfMr6TryEeGUqxL7dP9m2K/PatX1b51j4gP/CiAPrBmyPPCa/qI9SPt6WKSGxGR4lBjAOfWDqzRhF+aKGGCl4YcOXkZmKTwNZUU+56O8wrA2Mn5i0lp9ZkVCx7o8DQ5gt2XJdwiI+c8r39HO3O+wOsFZ5FOenqplQ+RuvdWXBj2rfazpxpWYU7ziXHLDWDvLlpTR9GeSv7XOz5eYFx99wWH8AdsCMX24BAAA=";
        let mut secret = fixture::secret(&fixture::release(7, "failed"));
        secret.data.as_mut().unwrap().get_mut("release").unwrap().0 = GOLDEN.as_bytes().to_vec();
        let stored = StoredRelease::read(&secret).unwrap();
        let head = stored.head();
        assert_eq!(
            (head.name.name.as_str(), head.revision, head.status),
            ("golden", 7, Status::Failed)
        );
        assert_eq!(
            (head.chart.as_str(), head.version.as_str()),
            ("llm-d-infra", "1.3.3")
        );
        assert_eq!(
            head.description,
            "Upgrade \"golden\" failed: context deadline exceeded"
        );
        assert!(!head.was_interrupted());
        assert_eq!(stored.decode().unwrap().manifest, "---\nkind: A\n");
        let json = packing::unpack(&packing::packed(GOLDEN.as_bytes()).unwrap()).unwrap();
        assert!(json.starts_with(br#"{"name":"golden""#));
    }
}
