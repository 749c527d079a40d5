//! Who has set which label of an object, read from its `metadata.managedFields`. Pure.
//!
//! In: the list as JSON. Out: the keys of each manager; or the list without the claims of an earlier manager.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// A field manager, as `managedFields` tells one from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manager<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it works by server-side apply; else by updates and other patches.
    pub applies: bool,
}

/// The labels that one manager has set.
#[derive(Debug)]
pub struct LabelClaims<'a> {
    name: Cow<'a, str>,
    operation: Cow<'a, str>,
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow, default)]
    manager: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default, rename = "fieldsV1")]
    fields: Fields<'a>,
}

#[derive(Default, Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, rename = "f:metadata")]
    metadata: Metadata<'a>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default, rename = "f:labels")]
    labels: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

impl LabelClaims<'_> {
    /// Who.
    pub fn manager(&self) -> Manager<'_> {
        Manager {
            name: &self.name,
            applies: is_apply(&self.operation),
        }
    }

    /// The keys of the labels.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().filter_map(|field| field.strip_prefix("f:"))
    }
}

/// The claims of every manager that has set a label.
///
/// # Errors
/// The text is no list of managers.
pub fn label_claims(managed_fields: &str) -> Result<Vec<LabelClaims<'_>>, serde_json::Error> {
    let entries: Vec<Entry<'_>> = serde_json::from_str(managed_fields)?;
    let claims = entries.into_iter().map(|entry| LabelClaims {
        name: entry.manager,
        operation: entry.operation,
        fields: entry.fields.metadata.labels,
    });
    Ok(claims.filter(|claims| !claims.fields.is_empty()).collect())
}

/// The list after every manager for which `of` holds has given up the labels `keys`; `None` when none of them has any.
pub(super) fn without_claims(
    managed_fields: &str,
    keys: &[&str],
    of: impl Fn(Manager<'_>) -> bool,
) -> Result<Option<Vec<Value>>, serde_json::Error> {
    let mut entries: Vec<Value> = serde_json::from_str(managed_fields)?;
    let mut changed = false;
    for entry in &mut entries {
        let manager = Manager {
            name: entry["manager"].as_str().unwrap_or_default(),
            applies: is_apply(entry["operation"].as_str().unwrap_or_default()),
        };
        if !of(manager) {
            continue;
        }
        for key in keys {
            let place = ["fieldsV1", "f:metadata", "f:labels"];
            changed |= entry
                .as_object_mut()
                .is_some_and(|entry| remove(entry, &place, &format!("f:{key}")));
        }
    }
    // A manager of nothing at all is no manager.
    entries.retain(|entry| {
        entry["fieldsV1"]
            .as_object()
            .is_none_or(|fields| !fields.is_empty())
    });
    Ok(changed.then_some(entries))
}

fn is_apply(operation: &str) -> bool {
    operation == "Apply"
}

/// Removes `field` below `place`, and every parent below the first that owns nothing any more: an empty one would mean
/// the parent as a whole.
fn remove(object: &mut Map<String, Value>, place: &[&str], field: &str) -> bool {
    let Some((first, rest)) = place.split_first() else {
        return object.remove(field).is_some();
    };
    let Some(below) = object.get_mut(*first).and_then(Value::as_object_mut) else {
        return false;
    };
    let removed = remove(below, rest, field);
    let empty = below.keys().all(|key| key == ".");
    if removed && empty && *first != "fieldsV1" {
        object.remove(*first);
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGED: &str = r#"[
      {"manager":"kubelet","operation":"Update","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:kubernetes.io/arch":{}}}}},
      {"manager":"kubelet","operation":"Update","subresource":"status","fieldsV1":{"f:status":{"f:conditions":{}}}},
      {"manager":"manager","operation":"Update","fieldsV1":{"f:metadata":{"f:labels":{"f:foo/bar.com":{},"f:old":{}}}}},
      {"manager":"ours","operation":"Apply","fieldsV1":{"f:metadata":{"f:labels":{"f:foo/bar.com":{}}}}}]"#;

    #[test]
    fn labels_are_told_by_manager() {
        let claims = label_claims(MANAGED).unwrap();
        let told: Vec<(&str, bool, Vec<&str>)> = claims
            .iter()
            .map(|claims| {
                let Manager { name, applies } = claims.manager();
                (name, applies, claims.keys().collect())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("kubelet", false, vec!["kubernetes.io/arch"]),
                ("manager", false, vec!["foo/bar.com", "old"]),
                ("ours", true, vec!["foo/bar.com"]),
            ]
        );
        assert!(label_claims("[]").unwrap().is_empty());
    }

    #[test]
    fn an_earlier_manager_gives_up_what_is_named_and_keeps_the_rest() {
        let earlier = |manager: Manager<'_>| manager.name == "manager" && !manager.applies;
        let after = without_claims(MANAGED, &["foo/bar.com", "unknown"], earlier)
            .unwrap()
            .unwrap();
        assert_eq!(
            after[2]["fieldsV1"],
            serde_json::json!({"f:metadata": {"f:labels": {"f:old": {}}}})
        );
        assert_eq!(after.len(), 4);
        let after = without_claims(MANAGED, &["foo/bar.com", "old"], earlier)
            .unwrap()
            .unwrap();
        assert_eq!(after.len(), 3, "it manages nothing any more: {after:?}");
        assert!(
            without_claims(MANAGED, &["kubernetes.io/arch"], earlier)
                .unwrap()
                .is_none()
        );
    }
}
