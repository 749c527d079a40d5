//! One object of a manifest, and what it is called.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::ReleaseName;

/// A kind as a manifest asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId {
    /// Empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

impl KindId {
    /// `apiVersion` of an object of this kind.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// `Deployment.apps`.
impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if self.group.is_empty() {
            return Ok(());
        }
        write!(f, ".{}", self.group)
    }
}

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: KindId,
    /// As the manifest says it: none for a cluster-scoped object, and for one that goes into the release's namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// `Deployment.apps llm-d/demo`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What it is called.
    pub id: ObjectId,
    /// All of it.
    pub value: Value,
}

impl Object {
    /// From any JSON; the message says what is missing.
    pub fn read(value: Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err("is no object".to_owned());
        }
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let api_version = text(&value["apiVersion"]).ok_or("has no apiVersion")?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let id = ObjectId {
            kind: KindId {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: text(&value["kind"]).ok_or("has no kind")?,
            },
            namespace: text(&value["metadata"]["namespace"]),
            name: text(&value["metadata"]["name"]).ok_or("has no metadata.name")?,
        };
        Ok(Self { id, value })
    }

    /// With the marks of the release that Helm puts on what it applies (`pkg/action/validate.go`), without which it neither upgrades nor
    /// uninstalls the object.
    #[must_use]
    pub fn owned_by(mut self, release: &ReleaseName) -> Self {
        let marks = [
            ("labels", "app.kubernetes.io/managed-by", "Helm"),
            ("annotations", "meta.helm.sh/release-name", &release.name),
            (
                "annotations",
                "meta.helm.sh/release-namespace",
                &release.namespace,
            ),
        ];
        for (field, key, text) in marks {
            let fields = &mut self.value["metadata"][field];
            if !fields.is_object() {
                *fields = Value::Object(Map::new());
            }
            fields[key] = json!(text);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_the_release_are_added() {
        let release = ReleaseName {
            namespace: "llm-d".to_owned(),
            name: "demo".to_owned(),
        };
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {"x": "y", "app.kubernetes.io/managed-by": "me"}, "annotations": null},
        });
        let owned = Object::read(object).unwrap().owned_by(&release);
        assert_eq!(
            owned.value["metadata"],
            json!({
                "name": "a",
                "labels": {"x": "y", "app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "demo", "meta.helm.sh/release-namespace": "llm-d"},
            })
        );
    }
}
