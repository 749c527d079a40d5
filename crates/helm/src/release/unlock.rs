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
