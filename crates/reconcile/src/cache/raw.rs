//! One object as the API server sent it: its JSON text, and the few names needed to file it.
//!
//! Decoding into a typed object is left to whoever needs it, so that an object that does not fit its type is one
//! unreadable object and not a dead watch. `metadata.managedFields` is never turned into a tree.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use kube::{
    Resource,
    core::{ApiResource, DynamicResourceScope, ObjectMeta},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::child::{ChildHead, parse_head};

/// The JSON of one object, with its identity; its `managedFields` stand apart.
#[derive(Clone, Debug)]
pub struct RawObject {
    meta: ObjectMeta,
    json: Box<str>,
    managed_fields: Option<Box<str>>,
    head: OnceLock<Arc<ChildHead>>,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow, default)]
    metadata: Identity<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    uid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource_version: Option<Cow<'a, str>>,
    generation: Option<i64>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

impl RawObject {
    /// Reads the identity out of `json`. Fails only when `json` is not an object with `metadata`.
    pub fn new(json: &str) -> Result<Self, serde_json::Error> {
        let Identified { metadata } = serde_json::from_str(json)?;
        // Half of an object's text: set apart before anybody else has to read over it.
        let managed_fields = metadata.managed_fields.map(|managed| managed.get().into());
        let json = match metadata.managed_fields {
            Some(managed) => with_null_at(json, managed.get()),
            None => json.into(),
        };
        let meta = ObjectMeta {
            name: metadata.name.map(Cow::into_owned),
            namespace: metadata.namespace.map(Cow::into_owned),
            uid: metadata.uid.map(Cow::into_owned),
            resource_version: metadata.resource_version.map(Cow::into_owned),
            generation: metadata.generation,
            ..ObjectMeta::default()
        };
        Ok(Self {
            meta,
            json,
            managed_fields,
            head: OnceLock::new(),
        })
    }

    /// Reads an object from the text of a response.
    pub fn from_text(text: impl AsRef<str>) -> Result<Self, serde_json::Error> {
        Self::new(text.as_ref())
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    /// Namespace, empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// Uid given by the API server.
    pub fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }

    /// `metadata.generation`, 0 when the kind has none.
    pub fn generation(&self) -> i64 {
        self.meta.generation.unwrap_or_default()
    }

    /// `metadata.resourceVersion` as a number, or 0. The API guarantees decimal numbers that grow with every write
    /// for all resources it stores itself.
    pub fn version(&self) -> u64 {
        self.meta
            .resource_version
            .as_deref()
            .and_then(|version| version.parse().ok())
            .unwrap_or_default()
    }

    /// The JSON text. Decode your own small struct from it when you need only a few fields.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The JSON text of `metadata.managedFields`: who has set what. An empty list when the object has none.
    pub fn managed_fields(&self) -> &str {
        self.managed_fields.as_deref().unwrap_or("[]")
    }

    /// What is kept of a child, read once however often it is asked for. Fails when the metadata is not that of a
    /// Kubernetes object.
    pub fn head(&self) -> Result<Arc<ChildHead>, serde_json::Error> {
        match self.head.get() {
            Some(head) => Ok(head.clone()),
            None => parse_head(self).map(|head| self.head.get_or_init(|| Arc::new(head)).clone()),
        }
    }

    /// Decodes the whole object, without its `managedFields`.
    pub fn decode<K: DeserializeOwned>(&self) -> Result<K, serde_json::Error> {
        serde_json::from_str(&self.json)
    }
}

/// `text` with its part `part` replaced by `null`.
fn with_null_at(text: &str, part: &str) -> Box<str> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    [&text[..start], "null", &text[start + part.len()..]]
        .concat()
        .into()
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<&RawValue>::deserialize(deserializer)?.get()).map_err(serde::de::Error::custom)
    }
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    const CONFIG_MAP: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n","uid":"u",
        "resourceVersion":"42","labels":{"k":"\"q\""},"managedFields":[{"manager":"m","operation":"Apply",
        "fieldsV1":{"f:data":{}}}]},"data":{"x":"1"}}"#;

    #[test]
    fn identity_is_read_and_managed_fields_are_left_out() {
        let raw = RawObject::new(CONFIG_MAP).unwrap();
        assert_eq!(
            (raw.namespace(), raw.name(), raw.uid(), raw.version()),
            ("n", "a", "u", 42)
        );
        assert!(!raw.json().contains("f:data"), "{}", raw.json());
        assert!(raw.managed_fields().contains("f:data"));
        let object: ConfigMap = raw.decode().unwrap();
        assert!(object.metadata.managed_fields.is_none());
        assert_eq!(object.metadata.labels.unwrap()["k"], "\"q\"");
        assert_eq!(object.data.unwrap()["x"], "1");
    }

    #[test]
    fn an_object_that_does_not_fit_its_type_is_still_an_object() {
        let raw = RawObject::new(r#"{"metadata":{"name":"a"},"data":7}"#).unwrap();
        assert_eq!(raw.name(), "a");
        assert!(raw.decode::<ConfigMap>().is_err());
    }
}
