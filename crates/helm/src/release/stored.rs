//! One revision as a watch cache keeps it: its head, and the packed rest.

use std::{collections::BTreeMap, fmt, sync::Arc};

use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Release, ReleaseError, ReleaseHead, Status, Unlock,
    payload::{self, PayloadError},
    unlock, values_digest,
};
use crate::{ReleaseName, Version};

/// Type of the Secrets, to select them by in a list or a watch (`type=helm.sh/release.v1`, label `owner=helm`).
pub const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Labels of Helm's own on the Secret (`pkg/storage/driver/util.go`).
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// One revision: what its state is judged by, and the rest as Helm packed it.
#[derive(Clone)]
pub struct StoredRelease {
    head: ReleaseHead,
    secret: String,
    resource_version: Option<String>,
    packed: Arc<[u8]>,
}

impl StoredRelease {
    /// From a Secret of Helm's.
    pub fn read(secret: &Secret) -> Result<Self, ReleaseError> {
        let id = id(secret);
        let not_helm = |missing| ReleaseError::NotHelm {
            secret: id.clone(),
            missing,
        };
        if secret.type_.as_deref() != Some(SECRET_TYPE) {
            return Err(not_helm("type helm.sh/release.v1"));
        }
        let data = secret.data.as_ref().and_then(|data| data.get("release"));
        let data = data.ok_or_else(|| not_helm("data.release"))?;
        let packed = payload::packed(&data.0).map_err(|error| unreadable(&id, &error))?;
        let head = head(secret, &id, &packed)?;
        Ok(Self {
            head,
            secret: secret.metadata.name.clone().unwrap_or_default(),
            resource_version: secret.metadata.resource_version.clone(),
            packed: packed.into(),
        })
    }

    /// What its state is judged by.
    pub const fn head(&self) -> &ReleaseHead {
        &self.head
    }

    /// Unpacks the rest.
    pub fn decode(&self) -> Result<Release, ReleaseError> {
        decode(&self.id(), &self.packed)
    }

    /// The patch that marks it as failed, so that Helm does not take it for a lock any more.
    pub fn unlock(&self, now: Timestamp) -> Result<Unlock, ReleaseError> {
        let id = self.id();
        let json = payload::unpack(&self.packed).map_err(|error| unreadable(&id, &error))?;
        let payload = unlock::payload(&json, self.head.status).map_err(|error| malformed(&id, &error))?;
        let payload = payload::encode(&payload).map_err(|error| unreadable(&id, &error))?;
        Ok(Unlock::new(
            &self.head.name.namespace,
            &self.secret,
            self.resource_version.as_deref(),
            &payload,
            now,
        ))
    }

    fn id(&self) -> String {
        format!("{}/{}", self.head.name.namespace, self.secret)
    }
}

/// Without the payload, which holds values.
impl fmt::Debug for StoredRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredRelease")
            .field("head", &self.head)
            .field("packed", &self.packed.len())
            .finish_non_exhaustive()
    }
}

/// What of Helm's release makes the head. `null` stands for what is not there, as Go reads it.
#[derive(Deserialize)]
struct Light {
    name: Option<String>,
    version: Option<u32>,
    info: Option<Info>,
    chart: Option<Chart>,
    config: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
struct Info {
    last_deployed: Option<String>,
    description: Option<String>,
    status: Option<String>,
    rollback_revision: Option<u32>,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
    version: Option<String>,
}

fn head(secret: &Secret, id: &str, packed: &[u8]) -> Result<ReleaseHead, ReleaseError> {
    let light: Light = decode(id, packed)?;
    let missing = |what: &str| malformed(id, &format!("{what} is missing"));
    let info = light.info.unwrap_or_default();
    let chart = light.chart.and_then(|chart| chart.metadata);
    let chart = chart.ok_or_else(|| missing("chart.metadata"))?;
    Ok(ReleaseHead {
        name: ReleaseName {
            // Helm looks for the Secret where it lies, not where its payload says.
            namespace: secret.metadata.namespace.clone().unwrap_or_default(),
            name: light.name.ok_or_else(|| missing("name"))?,
        },
        revision: light.version.ok_or_else(|| missing("version"))?,
        status: Status::from_word(info.status.as_deref().unwrap_or_default()),
        chart: chart.name.ok_or_else(|| missing("chart.metadata.name"))?,
        version: Version::new(chart.version.as_deref().unwrap_or_default()),
        values_digest: values_digest(&Value::Object(light.config.unwrap_or_default())),
        description: info.description.unwrap_or_default(),
        last_deployed: info.last_deployed.and_then(|text| text.parse().ok()),
        rollback_of: info.rollback_revision.filter(|revision| *revision > 0),
        labels: own_labels(secret),
        uid: secret.metadata.uid.clone().unwrap_or_default(),
    })
}

fn own_labels(secret: &Secret) -> BTreeMap<String, String> {
    let mut labels = secret.metadata.labels.clone().unwrap_or_default();
    labels.retain(|key, _| !SYSTEM_LABELS.contains(&key.as_str()));
    labels
}

fn decode<T: serde::de::DeserializeOwned>(id: &str, packed: &[u8]) -> Result<T, ReleaseError> {
    let json = payload::unpack(packed).map_err(|error| unreadable(id, &error))?;
    serde_json::from_slice(&json).map_err(|error| malformed(id, &error))
}

fn unreadable(id: &str, error: &PayloadError) -> ReleaseError {
    match error {
        PayloadError::TooLarge => ReleaseError::TooLarge {
            secret: id.to_owned(),
            limit: payload::LIMIT,
        },
        error => malformed(id, error),
    }
}

fn malformed(id: &str, error: &impl ToString) -> ReleaseError {
    ReleaseError::Malformed {
        secret: id.to_owned(),
        message: error.to_string(),
    }
}

fn id(secret: &Secret) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!(
        "{}/{}",
        part(&secret.metadata.namespace),
        part(&secret.metadata.name)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::{DeletePolicy, fixture};

    #[test]
    fn a_head_is_read_from_the_secret() {
        let secret = fixture::secret(&fixture::release(3, "deployed"));
        let head = StoredRelease::read(&secret).unwrap().head().clone();
        let expected = ReleaseHead {
            name: ReleaseName {
                namespace: "llm-d".to_owned(),
                name: "demo".to_owned(),
            },
            revision: 3,
            status: Status::Deployed,
            chart: "chart".to_owned(),
            version: Version::new("1.2.3"),
            values_digest: values_digest(&json!({"replicas": 2})),
            description: "Install complete".to_owned(),
            last_deployed: Some("2026-01-02T08:00:00.123456789Z".parse().unwrap()),
            rollback_of: None,
            labels: [("example.com/ours".to_owned(), "yes".to_owned())].into(),
            uid: "6e1b1d1a".to_owned(),
        };
        assert_eq!(head, expected);
        assert!(head.is_ours(&expected.labels));
        assert!(!head.is_ours(&[("example.com/ours".to_owned(), "no".to_owned())].into()));
    }

    #[test]
    fn the_rest_is_unpacked_when_asked_for() {
        let mut release = fixture::release(1, "deployed");
        release["hooks"] = json!([{
            "name": "route", "kind": "HTTPRoute", "path": "chart/templates/route.yaml", "manifest": "kind: HTTPRoute\n",
            "events": ["post-install", "post-upgrade"], "last_run": {"phase": ""}, "weight": -5,
            "delete_policies": ["before-hook-creation", "of-a-later-helm"],
        }, {"name": "bare", "kind": "Job", "events": null}]);
        let stored = StoredRelease::read(&fixture::secret(&release)).unwrap();
        let decoded = stored.decode().unwrap();
        assert!(decoded.manifest.starts_with("---\n# Source"));
        assert_eq!(Value::Object(decoded.config), json!({"replicas": 2}));
        assert_eq!(decoded.hooks[0].events, ["post-install", "post-upgrade"]);
        assert_eq!(decoded.hooks[0].weight, -5);
        assert_eq!(
            decoded.hooks[0].delete_policies,
            [DeletePolicy::BeforeHookCreation, DeletePolicy::Unknown]
        );
        assert_eq!(decoded.hooks[1].delete_policies, []);
        assert!(
            !format!("{stored:?}").contains("replicas"),
            "values are not shown"
        );
    }

    #[test]
    fn what_may_be_absent_may_be_absent() {
        let mut release = fixture::release(1, "a-new-word");
        for field in ["config", "manifest"] {
            release.as_object_mut().unwrap().remove(field);
        }
        release["hooks"] = json!(null);
        release["info"]["last_deployed"] = json!("");
        release["info"]["rollback_revision"] = json!(2);
        let stored = StoredRelease::read(&fixture::secret(&release)).unwrap();
        assert_eq!(stored.head().status, Status::Unknown);
        assert_eq!(stored.head().last_deployed, None);
        assert_eq!(stored.head().rollback_of, Some(2));
        assert_eq!(stored.head().values_digest, values_digest(&json!({})));
        assert_eq!(stored.decode().unwrap(), Release::default());
    }

    #[test]
    fn what_is_no_release_is_told() {
        let told = |secret: &Secret| StoredRelease::read(secret).unwrap_err().to_string();
        let mut secret = fixture::secret(&fixture::release(1, "deployed"));
        secret.data.as_mut().unwrap().get_mut("release").unwrap().0 = b"%%%".to_vec();
        assert!(told(&secret).starts_with("Secret llm-d/sh.helm.release.v1.demo.v1 holds no release"));
        secret.data = None;
        assert!(told(&secret).contains("data.release is missing"));
        secret.type_ = Some("Opaque".to_owned());
        assert!(told(&secret).contains("type helm.sh/release.v1"));
        let mut release = fixture::release(1, "deployed");
        release["chart"] = json!(null);
        assert!(told(&fixture::secret(&release)).contains("chart.metadata is missing"));
    }
}
