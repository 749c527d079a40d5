//! Who set which field of an object, and how that reads once we have taken over from whoever made it. Pure.
//!
//! In: the `managedFields` of an object that an earlier operator made for our resource. Out: the list in which our apply
//! owns what that operator owned, so that the apply removes what it does not name. Entries of everybody else stay.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::FIELD_MANAGER;

/// Stays with the earlier operator: what the server fills in or lets nobody change, and finalizers, which only their
/// owner may take off. Kind (empty for all) and path.
const LEFT_BEHIND: [(&str, &str); 8] = [
    ("", "/metadata/finalizers"),
    ("Service", "/spec/clusterIP"),
    ("Service", "/spec/clusterIPs"),
    ("Service", "/spec/healthCheckNodePort"),
    ("Service", "/spec/ipFamilies"),
    ("Service", "/spec/ipFamilyPolicy"),
    ("Service", "/spec/loadBalancerClass"),
    ("PersistentVolumeClaim", "/spec"),
];

/// The entries of `metadata.managedFields`.
#[derive(Debug, Default)]
pub(super) struct Managers(Vec<Value>);

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "managedFields")]
    managed_fields: Vec<Value>,
}

/// The list after the take-over.
#[derive(Debug, PartialEq)]
pub(super) struct TakenOver {
    /// Whom we have taken over from.
    pub(super) from: String,
    /// The new `metadata.managedFields`.
    pub(super) entries: Vec<Value>,
}

impl Managers {
    /// Reads the entries out of an object's text.
    pub(super) fn of(text: &str) -> Result<Self, serde_json::Error> {
        let object: Object = serde_json::from_str(text)?;
        Ok(Self(object.metadata.managed_fields))
    }

    /// Moves the fields of whoever set the owner reference with `owner_uid` to us, except those at the JSON pointers
    /// `released`. `None` when nobody but us has set it by an update: then there is nobody to take over from.
    pub(super) fn taken_over(
        &self,
        (api_version, kind): (&str, &str),
        owner_uid: &str,
        released: &[&str],
    ) -> Option<TakenOver> {
        let made_it = |entry: &&Value| {
            is_update(entry) && entry["apiVersion"] == api_version && sets_owner(entry, owner_uid)
        };
        let from = self.0.iter().find(made_it)?["manager"].as_str()?.to_owned();
        let mut ours = Map::new();
        let mut entries = Vec::with_capacity(self.0.len() + 1);
        for entry in &self.0 {
            if is_ours(entry) {
                union(&mut ours, entry["fieldsV1"].as_object());
            } else if made_it(&entry) {
                let mut taken = entry["fieldsV1"].clone();
                let left = split(&mut taken, kind, released);
                union(&mut ours, taken.as_object());
                if !left.is_empty() {
                    let mut rest = entry.clone();
                    rest["fieldsV1"] = Value::Object(left);
                    entries.push(rest);
                }
            } else {
                entries.push(entry.clone());
            }
        }
        entries.push(json!({
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": ours,
        }));
        Some(TakenOver { from, entries })
    }
}

fn is_update(entry: &Value) -> bool {
    entry["operation"] == "Update" && no_subresource(entry)
}

fn is_ours(entry: &Value) -> bool {
    entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" && no_subresource(entry)
}

fn no_subresource(entry: &Value) -> bool {
    entry["subresource"].as_str().unwrap_or_default().is_empty()
}

fn sets_owner(entry: &Value, uid: &str) -> bool {
    let key = format!("k:{}", json!({"uid": uid}));
    let references = &entry["fieldsV1"]["f:metadata"]["f:ownerReferences"];
    references.get(key).is_some()
}

/// Adds `more` to the set of fields `all`.
fn union(all: &mut Map<String, Value>, more: Option<&Map<String, Value>>) {
    for (field, below) in more.into_iter().flatten() {
        let known = all
            .entry(field.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(known) = known {
            union(known, below.as_object());
        }
    }
}

/// Takes what stays with its owner out of `fields`, and returns it.
fn split(fields: &mut Value, kind: &str, released: &[&str]) -> Map<String, Value> {
    let mut left = Map::new();
    let of_kind = LEFT_BEHIND
        .iter()
        .filter(|(of, _)| of.is_empty() || *of == kind)
        .map(|(_, path)| *path);
    for path in of_kind.chain(released.iter().copied()) {
        let steps: Vec<String> = path
            .split('/')
            .skip(1)
            .map(|field| format!("f:{field}"))
            .collect();
        if let Some(found) = take(fields, &steps) {
            let nested = steps.iter().rev().fold(found, |below, step| json!({step: below}));
            union(&mut left, nested.as_object());
        }
    }
    left
}

/// Takes what is below `steps` out of `fields`, and every parent that owns nothing any more: an empty one would mean
/// the parent as a whole.
fn take(fields: &mut Value, steps: &[String]) -> Option<Value> {
    let (first, rest) = steps.split_first()?;
    let map = fields.as_object_mut()?;
    if rest.is_empty() {
        return map.remove(first);
    }
    let below = map.get_mut(first)?;
    let found = take(below, rest)?;
    if below.as_object().is_some_and(Map::is_empty) {
        map.remove(first);
    }
    Some(found)
}

#[cfg(test)]
#[path = "managed_tests.rs"]
mod tests;
