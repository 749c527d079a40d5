//! What an upgrade does to the objects that an earlier version made. Pure.
//!
//! In: the objects then and now. Out: every difference that restarts Pods, loses data, or moves an address.

use std::fmt;

use serde_json::Value;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Kind and name.
    pub object: String,
    /// What follows from it.
    pub what: &'static str,
    /// The field, and the values.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.what, self.detail)
    }
}

/// Fields of which a change costs something, by kind.
const COSTS: [(&str, &str, &str); 12] = [
    ("Deployment", "/spec/template", "Pods restart"),
    ("StatefulSet", "/spec/template", "Pods restart"),
    ("Pod", "/spec", "Pods restart"),
    ("Deployment", "/spec/selector", "cannot be changed"),
    ("StatefulSet", "/spec/selector", "cannot be changed"),
    ("StatefulSet", "/spec/serviceName", "cannot be changed"),
    ("StatefulSet", "/spec/volumeClaimTemplates", "cannot be changed"),
    ("StatefulSet", "/spec/podManagementPolicy", "cannot be changed"),
    ("PersistentVolumeClaim", "/spec", "cannot be changed"),
    ("Service", "/spec/selector", "other Pods are addressed"),
    ("Service", "/spec/ports", "clients use other ports"),
    ("Service", "/spec/clusterIP", "cannot be changed"),
];

/// What changes for those who have the objects `then`.
pub fn compare(then: &[Value], now: &[Value]) -> Vec<Difference> {
    let mut all = Vec::new();
    for old in then {
        let object = identity(old);
        let Some(new) = now.iter().find(|new| identity(new) == object) else {
            all.push(Difference {
                object,
                what: "is gone",
                detail: "it would be deleted".to_owned(),
            });
            continue;
        };
        for (kind, pointer, what) in COSTS {
            let detail = match (old.pointer(pointer), new.pointer(pointer)) {
                _ if old["kind"] != kind => continue,
                (old, new) => first_difference(pointer, old, new),
            };
            all.extend(detail.map(|detail| Difference {
                object: object.clone(),
                what,
                detail,
            }));
        }
    }
    all
}

fn identity(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The innermost place at which two values begin to differ.
fn first_difference(path: &str, old: Option<&Value>, new: Option<&Value>) -> Option<String> {
    match (old, new) {
        (old, new) if old == new => None,
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            let mut inner = keys.into_iter().map(|key| (key, old.get(key), new.get(key)));
            inner.find_map(|(key, old, new)| first_difference(&format!("{path}/{key}"), old, new))
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            let mut inner = old.iter().zip(new).enumerate();
            inner.find_map(|(index, (old, new))| {
                first_difference(&format!("{path}/{index}"), Some(old), Some(new))
            })
        }
        (old, new) => Some(format!("{path} was {}, is {}", short(old), short(new))),
    }
}

fn short(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() <= 200 {
        return text;
    }
    text.chars().take(200).chain("…".chars()).collect()
}
