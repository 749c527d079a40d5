//! A desired object, serialised once: its identity, its owner, its fields as JSON text and a hash over all of it. Pure.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, core::ApiResource};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::cache::OwnerHead;

/// Annotation with the hash of the object as it was last applied. When it differs, something may have to be removed.
pub const APPLIED_HASH: &str = "llm-operator.io/applied-hash";
/// Annotation that lists the fields we have let go, as JSON pointers separated by commas; a number's last value of ours
/// stands behind it: `/spec/replicas=2`.
pub const RELEASED: &str = "llm-operator.io/released";

/// Annotation of an object that was applied as its [`DesiredObject::if_found`] says. While it is there, that form is
/// applied; its value is for whoever builds the object.
pub const ADOPTED: &str = "llm-operator.io/adopted";

/// Why an object cannot be applied at all; a mistake of the code that built it.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// It has no name or no controller owner reference with a uid.
    #[error(
        "a desired {kind} lacks metadata.{field}; every child needs a name and a controller owner reference with a uid"
    )]
    Incomplete {
        /// Kind of the object.
        kind: String,
        /// The field that is missing.
        field: &'static str,
    },
    /// The form for an object that is found names another object.
    #[error("the two forms of {kind} {name} do not name the same object and owner")]
    OtherObject {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// It cannot be serialised.
    #[error("a desired {kind} cannot be serialised: {source}")]
    Serialise {
        /// Kind of the object.
        kind: String,
        /// What the serialiser says.
        source: serde_json::Error,
    },
}

/// One object as it should be. Build it with [`DesiredObject::new`].
#[derive(Clone, Debug)]
pub struct DesiredObject {
    pub(super) resource: ApiResource,
    pub(super) meta: ObjectMeta,
    /// The fields beside `apiVersion`, `kind` and `metadata`, as text: `"spec":{..},"data":{..}`.
    fields: String,
    hash: String,
    released: Vec<Released>,
    /// How it is created: with the released fields, which somebody must set.
    initial: Option<Box<DesiredObject>>,
    /// How it is applied when somebody made it before us.
    found: Option<Box<DesiredObject>>,
    /// What cannot be changed in place is deleted and made anew.
    replaceable: bool,
}

/// A field that is left to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Released {
    /// Where it is.
    pub(super) pointer: &'static str,
    /// A number is raised to this once, whenever this changes; then it is left alone.
    pub(super) floor: Option<i64>,
}

impl Released {
    /// As in the annotation [`RELEASED`].
    pub(super) fn entry(&self) -> String {
        match self.floor {
            Some(floor) => format!("{}={floor}", self.pointer),
            None => self.pointer.to_owned(),
        }
    }
}

impl DesiredObject {
    /// Takes a built object. It needs a name and a controller owner reference with a uid.
    pub fn new<K>(mut object: K) -> Result<Self, DesiredError>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let resource = ApiResource::erase::<K>(&());
        let meta = std::mem::take(object.meta_mut());
        let text = serde_json::to_string(&object);
        let fields = text
            .and_then(|text| body_fields(&text))
            .map_err(|source| serialise(&resource, source))?;
        Self::assemble(resource, meta, fields)
    }

    /// Leaves these fields to somebody else from now on, e.g. `/spec/replicas` while an autoscaler sets them. The value
    /// that the object has is kept, but a number below the one given here is raised to it once: at the hand-over, and
    /// again when the number given here changes. Only fields under `/spec` that are not inside a list.
    pub fn releasing(mut self, pointers: &[&'static str]) -> Result<Self, DesiredError> {
        let found = self.found.take();
        let mut released = Vec::with_capacity(pointers.len());
        let mut parse = || -> Result<String, serde_json::Error> {
            let mut tree: serde_json::Value = serde_json::from_str(&format!("{{{}}}", self.fields))?;
            for pointer in pointers {
                let floor = tree.pointer(pointer).and_then(serde_json::Value::as_i64);
                released.push(Released { pointer, floor });
                remove_pointer(&mut tree, pointer);
            }
            body_fields(&tree.to_string())
        };
        let fields = parse().map_err(|source| serialise(&self.resource, source))?;
        let mut meta = self.meta.clone();
        let entries: Vec<String> = released.iter().map(Released::entry).collect();
        meta.annotations
            .get_or_insert_default()
            .insert(RELEASED.to_owned(), entries.join(","));
        let object = Self::assemble(self.resource.clone(), meta, fields)?;
        Ok(Self {
            released,
            initial: Some(Box::new(self)),
            found,
            ..object
        })
    }

    /// Applies `other` in place of `self` when an earlier operator has made the object for our very resource and we
    /// have never applied it; and from then on, as long as the object has the annotation [`ADOPTED`], which `other`
    /// sets for this. To create the object, `self` is applied. `other` names the same object and owner.
    #[must_use]
    pub fn if_found(self, other: DesiredObject) -> Self {
        Self {
            found: Some(Box::new(other)),
            ..self
        }
    }

    /// Deletes the object when it cannot become as desired by a change in place, such as most of a Pod; it is made anew when it
    /// is gone. What others change is put right only in its metadata and in its containers' images.
    #[must_use]
    pub fn replaceable(self) -> Self {
        Self {
            replaceable: true,
            ..self
        }
    }

    pub(super) fn is_replaceable(&self) -> bool {
        self.replaceable
    }

    fn assemble(resource: ApiResource, meta: ObjectMeta, fields: String) -> Result<Self, DesiredError> {
        let missing = |field| DesiredError::Incomplete {
            kind: resource.kind.clone(),
            field,
        };
        if meta.name.as_deref().unwrap_or_default().is_empty() {
            return Err(missing("name"));
        }
        if controller(&meta).is_none_or(|owner| owner.uid.is_empty()) {
            return Err(missing("ownerReferences"));
        }
        let mut digest = Sha256::new();
        digest.update(serde_json::to_vec(&meta).map_err(|source| serialise(&resource, source))?);
        digest.update(&fields);
        // 16 of the 32 bytes: enough to tell two versions of one object apart, and short in the annotation.
        let hash = digest
            .finalize()
            .iter()
            .take(16)
            .fold(String::with_capacity(32), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
        Ok(Self {
            resource,
            meta,
            fields,
            hash,
            released: Vec::new(),
            initial: None,
            found: None,
            replaceable: false,
        })
    }

    /// Kind, e.g. `Deployment`.
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// Name.
    pub fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    /// Namespace; empty for cluster-scoped kinds.
    pub fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// Uid of the controller owner.
    pub fn owner_uid(&self) -> &str {
        controller(&self.meta).map_or("", |owner| owner.uid.as_str())
    }

    /// Whether this is the controller owner's namesake: of its group, kind and name. With another uid it is one that was
    /// deleted before the owner was made.
    pub(super) fn is_owners_namesake(&self, other: &OwnerHead) -> bool {
        let group = |api_version: &str| api_version.rsplit_once('/').map(|(group, _)| group.to_owned());
        controller(&self.meta).is_some_and(|owner| {
            *owner.kind == *other.kind
                && *owner.name == *other.name
                && group(&owner.api_version) == group(&other.api_version)
        })
    }

    /// Hash over everything that is desired, the same in every process.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn released(&self) -> &[Released] {
        &self.released
    }

    /// The object as it is created.
    pub(super) fn initial(&self) -> &Self {
        self.initial.as_deref().unwrap_or(self)
    }

    /// The object as it is applied to one that somebody made before us.
    pub(super) fn found(&self) -> &Self {
        self.found.as_deref().unwrap_or(self)
    }

    /// Whether all forms of it name the same object and owner.
    pub(super) fn check(&self) -> Result<(), DesiredError> {
        let identity = |object: &Self| {
            let meta = (object.namespace().to_owned(), object.name().to_owned());
            (object.resource.clone(), meta, object.owner_uid().to_owned())
        };
        let same = self
            .found
            .as_deref()
            .is_none_or(|found| identity(found) == identity(self));
        same.then_some(()).ok_or_else(|| DesiredError::OtherObject {
            kind: self.kind().to_owned(),
            name: self.name().to_owned(),
        })
    }

    /// The object as it goes to the API server, bound to one incarnation by `bind`.
    pub(super) fn body(&self, bind: Bind<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let mut meta = self.meta.clone();
        meta.annotations
            .get_or_insert_default()
            .insert(APPLIED_HASH.to_owned(), self.hash.clone());
        match bind {
            // No object has ever been stored at version 1, so this can only create.
            Bind::Create => meta.resource_version = Some("1".to_owned()),
            Bind::Uid(uid) => meta.uid = Some(uid.to_owned()),
        }
        let mut body = Vec::with_capacity(self.fields.len() + 1024);
        body.extend_from_slice(b"{\"apiVersion\":");
        serde_json::to_writer(&mut body, &self.resource.api_version)?;
        body.extend_from_slice(b",\"kind\":");
        serde_json::to_writer(&mut body, &self.resource.kind)?;
        body.extend_from_slice(b",\"metadata\":");
        serde_json::to_writer(&mut body, &meta)?;
        if !self.fields.is_empty() {
            body.push(b',');
            body.extend_from_slice(self.fields.as_bytes());
        }
        body.push(b'}');
        Ok(body)
    }

    /// The object as it is applied, but for the precondition that binds a write to one incarnation.
    pub fn manifest(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut tree: serde_json::Value = serde_json::from_slice(&self.body(Bind::Create)?)?;
        remove_pointer(&mut tree, "/metadata/resourceVersion");
        Ok(tree)
    }

    /// The desired fields as a tree, shaped like [`ChildHead::content`](crate::cache::ChildHead).
    pub(super) fn tree(&self) -> Result<serde_json::Value, serde_json::Error> {
        let separator = if self.fields.is_empty() { "" } else { "," };
        let mut meta = ObjectMeta {
            name: None,
            namespace: None,
            ..self.meta.clone()
        };
        meta.annotations
            .get_or_insert_default()
            .insert(APPLIED_HASH.to_owned(), self.hash.clone());
        let meta = serde_json::to_string(&meta)?;
        serde_json::from_str(&format!("{{\"metadata\":{meta}{separator}{}}}", self.fields))
    }
}

/// Which incarnation of an object a write is meant for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bind<'a> {
    /// None: it must not exist.
    Create,
    /// The one with this uid.
    Uid(&'a str),
}

fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
}

fn serialise(resource: &ApiResource, source: serde_json::Error) -> DesiredError {
    DesiredError::Serialise {
        kind: resource.kind.clone(),
        source,
    }
}

/// The inside of the object `text` without the fields that every object has and without `status`.
fn body_fields(text: &str) -> Result<String, serde_json::Error> {
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text)?;
    for unwanted in ["apiVersion", "kind", "metadata", "status"] {
        fields.remove(unwanted);
    }
    let text = serde_json::to_string(&fields)?;
    Ok(text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or_default()
        .to_owned())
}

fn remove_pointer(tree: &mut serde_json::Value, pointer: &str) {
    if let Some((parent, field)) = pointer.rsplit_once('/')
        && let Some(serde_json::Value::Object(parent)) = tree.pointer_mut(parent)
    {
        parent.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn config_map(value: &str) -> ConfigMap {
        let json = serde_json::json!({
            "metadata": {"name": "a", "namespace": "n", "ownerReferences": [
                {"apiVersion": "g/v1", "kind": "Thing", "name": "t", "uid": "1", "controller": true}]},
            "data": {"k": value},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_body_is_the_object_with_hash_and_binding() {
        let desired = DesiredObject::new(config_map("v")).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&desired.body(Bind::Create).unwrap()).unwrap();
        assert_eq!(body["kind"], "ConfigMap");
        assert_eq!(body["apiVersion"], "v1");
        assert_eq!(body["data"]["k"], "v");
        assert_eq!(body["metadata"]["resourceVersion"], "1");
        assert_eq!(body["metadata"]["annotations"][APPLIED_HASH], desired.hash());
        let bound: serde_json::Value =
            serde_json::from_slice(&desired.body(Bind::Uid("u")).unwrap()).unwrap();
        assert_eq!(
            (
                &bound["metadata"]["uid"],
                bound["metadata"].get("resourceVersion")
            ),
            (&"u".into(), None)
        );
    }

    #[test]
    fn the_hash_follows_the_content() {
        let hash = |value: &str| DesiredObject::new(config_map(value)).unwrap().hash().to_owned();
        assert_eq!(hash("v"), hash("v"));
        assert_ne!(hash("v"), hash("w"));
    }

    #[test]
    fn an_object_without_owner_is_refused() {
        let mut object = config_map("v");
        object.metadata.owner_references = None;
        let error = DesiredObject::new(object).unwrap_err().to_string();
        assert!(
            error.contains("ConfigMap") && error.contains("ownerReferences"),
            "{error}"
        );
    }

    #[test]
    fn released_fields_are_not_desired() {
        let desired = DesiredObject::new(config_map("v"))
            .unwrap()
            .releasing(&["/data/k"])
            .unwrap();
        assert!(desired.tree().unwrap()["data"].get("k").is_none());
        assert_eq!(
            desired.tree().unwrap()["metadata"]["annotations"][RELEASED],
            "/data/k"
        );
        assert_eq!(
            desired.initial().tree().unwrap()["data"]["k"],
            "v",
            "nobody else sets it before it exists"
        );
    }
}
