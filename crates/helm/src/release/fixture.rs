//! Releases for tests, as Helm would store them.

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde_json::{Value, json};

use super::{ReleaseHead, SECRET_TYPE, Status, payload};
use crate::{ReleaseName, Version};

/// A release's JSON with what every release has.
pub(crate) fn release(revision: u32, status: &str) -> Value {
    json!({
        "name": "demo",
        "info": {
            "first_deployed": "2026-01-01T10:00:00.5Z",
            "last_deployed": "2026-01-02T10:00:00.123456789+02:00",
            "description": "Install complete",
            "status": status,
            "notes": "Thank you for installing\n",
        },
        "chart": {
            "metadata": { "name": "chart", "version": "v1.2.3", "apiVersion": "v2" },
            "lock": null, "templates": [], "values": { "a": 1 }, "schema": null, "schemamodtime": "0001-01-01T00:00:00Z", "files": [],
        },
        "config": { "replicas": 2 },
        "manifest": "---\n# Source: chart/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
        "version": revision,
        "namespace": "llm-d",
        "apply_method": "ssa",
    })
}

/// The Secret that holds it.
pub(crate) fn secret(release: &Value) -> Secret {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, namespace) = (text(&release["name"]), text(&release["namespace"]));
    let labels = [
        ("name", name.clone()),
        ("owner", "helm".to_owned()),
        ("status", text(&release["info"]["status"])),
        ("version", release["version"].to_string()),
        ("createdAt", "1767261600".to_owned()),
        ("example.com/ours", "yes".to_owned()),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(format!("sh.helm.release.v1.{name}.v{}", release["version"])),
            namespace: Some(namespace),
            uid: Some("6e1b1d1a".to_owned()),
            resource_version: Some("41".to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            ..ObjectMeta::default()
        },
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(
            [(
                "release".to_owned(),
                ByteString(payload::encode(release.to_string().as_bytes()).unwrap()),
            )]
            .into(),
        ),
        ..Secret::default()
    }
}

/// A head of chart `chart` 1.2.3, labelled as ours.
pub(crate) fn head(revision: u32, status: Status) -> ReleaseHead {
    ReleaseHead {
        name: ReleaseName {
            namespace: "llm-d".to_owned(),
            name: "demo".to_owned(),
        },
        revision,
        status,
        chart: "chart".to_owned(),
        version: Version::new("1.2.3"),
        values_digest: "values".to_owned(),
        description: String::new(),
        last_deployed: None,
        rollback_of: None,
        labels: [("ours".to_owned(), "yes".to_owned())].into(),
        uid: format!("uid-{revision}"),
    }
}
