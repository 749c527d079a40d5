//! What is kept of an object that we applied: whose it is, its content as compact JSON for comparing, and the few
//! facts of its status that somebody asks for.
//!
//! About 2 KB per object: the text of the fields, never a tree, and neither `managedFields` nor `status`.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    raw::RawObject,
    spec::{CacheSpec, Change},
    store::WatchCache,
    writing::WriteSink,
};
use crate::{
    MANAGED_BY_SELECTOR,
    apply::{ADOPTED, APPLIED_HASH},
    key::{ObjectKey, api_kind},
};

/// The controller that owns an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerHead {
    /// `<group>/<version>` of the owner.
    pub api_version: Box<str>,
    /// Kind of the owner.
    pub kind: Box<str>,
    /// Name of the owner.
    pub name: Box<str>,
    /// Uid of the owner.
    pub uid: Box<str>,
}

/// Everything about a child but its status.
#[derive(Clone, Debug)]
pub struct ChildHead {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Uid given by the API server.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// `metadata.generation`; 0 for kinds without one.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The owner with `controller: true`, if any.
    pub owner: Option<OwnerHead>,
    /// Hash of the desired object that was last applied, from its annotation.
    pub applied: Option<Box<str>>,
    /// Value of the annotation [`ADOPTED`]: we found it and keep something of how it was.
    pub adopted: Option<Box<str>>,
    /// Hash of `content`.
    pub content_hash: u64,
    /// Compact JSON: `metadata` reduced to labels, annotations and owner references, and every other field but
    /// `apiVersion`, `kind` and `status`.
    pub content: Arc<[u8]>,
}

/// A child in the cache, with the facts `F` taken from its status.
#[derive(Clone, Debug)]
pub struct Child<F> {
    /// Identity, owner and content.
    pub head: Arc<ChildHead>,
    /// What the spec's reduce function took from the object.
    pub facts: F,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(default)]
    deletion_timestamp: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    owner_references: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OwnerReference {
    #[serde(default)]
    controller: bool,
    #[serde(flatten)]
    head: OwnerHead,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_references: Option<&'a RawValue>,
}

/// Reads the head of any object; see [`RawObject::head`].
pub(super) fn parse_head(raw: &RawObject) -> Result<ChildHead, serde_json::Error> {
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw.json())?;
    for unwanted in ["apiVersion", "kind", "status"] {
        fields.remove(unwanted);
    }
    let text = fields.get("metadata").map_or("{}", |metadata| metadata.get());
    let metadata: Metadata<'_> = serde_json::from_str(text)?;
    let owner = match metadata.owner_references {
        Some(references) => serde_json::from_str::<Vec<OwnerReference>>(references.get())?
            .into_iter()
            .find(|reference| reference.controller)
            .map(|reference| reference.head),
        None => None,
    };
    let mut annotations: BTreeMap<Cow<'_, str>, Cow<'_, str>> = match metadata.annotations {
        Some(annotations) => serde_json::from_str(annotations.get())?,
        None => BTreeMap::new(),
    };
    let mut annotation = |name| annotations.remove(name).map(Into::into);
    let kept = serde_json::value::to_raw_value(&Kept {
        labels: metadata.labels,
        annotations: metadata.annotations,
        owner_references: metadata.owner_references,
    })?;
    fields.insert(Cow::Borrowed("metadata"), &kept);
    let content = serde_json::to_vec(&fields)?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    Ok(ChildHead {
        namespace: raw.namespace().into(),
        name: raw.name().into(),
        uid: raw.uid().into(),
        version: raw.version(),
        generation: raw.generation(),
        deleting: metadata.deletion_timestamp.is_some(),
        owner,
        applied: annotation(APPLIED_HASH),
        adopted: annotation(ADOPTED),
        content_hash: hasher.finish(),
        content: content.into(),
    })
}

impl<F: Send + Sync + 'static> CacheSpec<Child<F>> {
    /// Watches the `K`s that carry our managed-by label and keeps their head and `facts`. They are filed under the
    /// uid of their controller. Add [`CacheSpec::on_change`] (see [`Change::owner_key`]) to wake the owner.
    pub fn children<K>(
        facts: impl Fn(&RawObject) -> Result<F, serde_json::Error> + Send + Sync + 'static,
    ) -> Self
    where
        K: Resource<DynamicType = ()>,
    {
        Self::raw::<K>(move |raw| {
            Ok(Child {
                head: raw.head()?,
                facts: facts(raw)?,
            })
        })
        .labels(MANAGED_BY_SELECTOR)
        .index(|child| {
            child
                .head
                .owner
                .iter()
                .map(|owner| owner.uid.to_string())
                .collect()
        })
    }
}

impl<F> Change<'_, Child<F>> {
    /// Keys of the owners before and after, when the owner is of one of these kinds, as in keys.
    pub fn owner_key(&self, kinds: &[&'static str]) -> Vec<ObjectKey> {
        let mut keys: Vec<ObjectKey> = Vec::new();
        for owner in [self.old, self.new]
            .into_iter()
            .flatten()
            .filter_map(|child| child.head.owner.as_ref())
        {
            if let Some(kind) = kinds.iter().find(|kind| api_kind(kind) == &*owner.kind) {
                let key = ObjectKey::new(kind, self.namespace, &*owner.name);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }
}

/// The children of one kind, without their facts: what apply and prune need.
pub trait ChildView: WriteSink {
    /// Group of the kind, empty for core.
    fn group(&self) -> &str;
    /// Kind, e.g. `Deployment`.
    fn kind(&self) -> &str;
    /// The child, if it exists and carries our label.
    fn child(&self, namespace: &str, name: &str) -> Option<Arc<ChildHead>>;
    /// All children whose controller has this uid.
    fn owned_by(&self, uid: &str) -> Vec<Arc<ChildHead>>;
    /// Number of children.
    fn count(&self) -> usize;
    /// Type of the children.
    fn resource(&self) -> &kube::core::ApiResource;
}

impl<F: Send + Sync> ChildView for WatchCache<Child<F>> {
    fn group(&self) -> &str {
        &self.spec().resource.group
    }

    fn kind(&self) -> &str {
        &self.spec().resource.kind
    }

    fn child(&self, namespace: &str, name: &str) -> Option<Arc<ChildHead>> {
        self.get(namespace, name).map(|child| child.head.clone())
    }

    fn owned_by(&self, uid: &str) -> Vec<Arc<ChildHead>> {
        self.indexed(uid).iter().map(|child| child.head.clone()).collect()
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn resource(&self) -> &kube::core::ApiResource {
        &self.spec().resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u",
      "resourceVersion":"7","generation":3,"labels":{"l":"1"},"annotations":{"llm-operator.io/applied-hash":"abc","llm-operator.io/adopted":"v1"},
      "managedFields":[{"manager":"x"}],"ownerReferences":[{"apiVersion":"g/v1","kind":"Other","name":"o","uid":"0"},
      {"apiVersion":"g/v1","kind":"Thing","name":"t","uid":"1","controller":true,"blockOwnerDeletion":true}]},
      "spec":{"ports":[{"port":80}]},"status":{"loadBalancer":{}}}"#;

    fn head(json: &str) -> ChildHead {
        parse_head(&RawObject::from_text(json).unwrap()).unwrap()
    }

    #[test]
    fn keeps_what_is_compared_and_nothing_else() {
        let head = head(SERVICE);
        assert_eq!(
            head.owner.as_ref().map(|owner| (&*owner.kind, &*owner.uid)),
            Some(("Thing", "1"))
        );
        assert_eq!(
            (head.applied.as_deref(), head.generation, head.deleting),
            (Some("abc"), 3, false)
        );
        assert_eq!(head.adopted.as_deref(), Some("v1"));
        let content = String::from_utf8(head.content.to_vec()).unwrap();
        for gone in ["managedFields", "loadBalancer", "resourceVersion", "uid\":\"u\""] {
            assert!(!content.contains(gone), "{gone} in {content}");
        }
        assert!(content.contains(r#""ports":[{"port":80}]"#), "{content}");
    }

    #[test]
    fn status_changes_leave_the_content_hash_alone_and_spec_changes_do_not() {
        let hash = head(SERVICE).content_hash;
        assert_eq!(
            head(
                &SERVICE
                    .replace(r#""loadBalancer":{}"#, r#""x":1"#)
                    .replace("\"7\"", "\"8\"")
            )
            .content_hash,
            hash
        );
        assert_ne!(head(&SERVICE.replace("80", "81")).content_hash, hash);
    }
}
