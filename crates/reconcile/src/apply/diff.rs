//! Is a desired object already so? In: the desired and the observed fields as trees. Out: the first path that differs.
//!
//! The observed object may hold more: defaults of the API server, entries of other managers. What is desired must be
//! in it, in the server's own spelling: `1000m` is `1`, an empty list is no list. Pure.

use serde_json::{Map, Value};

use super::quantity;

/// Entries of these lists are matched by the value of these fields, as the API server's schema has it. A list that is
/// not named here is atomic: the same entries in the same order.
const KEYED_LISTS: [(&str, &[Key]); 18] = [
    ("containers", &[Key::of("name")]),
    ("initContainers", &[Key::of("name")]),
    ("ephemeralContainers", &[Key::of("name")]),
    ("volumes", &[Key::of("name")]),
    ("env", &[Key::of("name")]),
    ("imagePullSecrets", &[Key::of("name")]),
    ("resourceClaims", &[Key::of("name")]),
    ("schedulingGates", &[Key::of("name")]),
    ("volumeMounts", &[Key::of("mountPath")]),
    ("volumeDevices", &[Key::of("devicePath")]),
    ("hostAliases", &[Key::of("ip")]),
    (
        "topologySpreadConstraints",
        &[Key::of("topologyKey"), Key::of("whenUnsatisfiable")],
    ),
    ("ownerReferences", &[Key::of("uid")]),
    ("conditions", &[Key::of("type")]),
    ("volumeClaimTemplates", &[Key::of("metadata")]),
    ("secrets", &[Key::of("name")]),
    ("claims", &[Key::of("name")]),
    (
        "ports",
        &[
            Key::of("containerPort"),
            Key::of("port"),
            Key {
                field: "protocol",
                default: "TCP",
            },
        ],
    ),
];

/// Fields that the server leaves out when they are zero, so that a desired zero is met by their absence.
const ABSENT_WHEN_ZERO: [&str; 18] = [
    "failureThreshold",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "initialDelaySeconds",
    "minReadySeconds",
    "optional",
    "paused",
    "periodSeconds",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "successThreshold",
    "timeoutSeconds",
    "tty",
    "nodePort",
    "hostPort",
];

/// Maps that belong to one manager as a whole: an entry that somebody adds makes a selector match less.
const ATOMIC_MAPS: [&str; 6] = [
    "labelSelector",
    "matchLabels",
    "namespaceSelector",
    "nodeSelector",
    "podSelector",
    "selector",
];

/// What the server adds inside entries of atomic lists, where anything else that is extra was put there by somebody.
const DEFAULTS_IN_LISTS: [(&str, &str); 4] = [
    ("protocol", "TCP"),
    ("apiVersion", "v1"),
    ("divisor", "0"),
    ("scheme", "HTTP"),
];

/// Fields whose values, or the values of whose members, are quantities.
const QUANTITIES: [&str; 6] = ["limits", "requests", "capacity", "sizeLimit", "divisor", "hard"];

struct Key {
    field: &'static str,
    /// Value of an entry that does not have the field.
    default: &'static str,
}

impl Key {
    const fn of(field: &'static str) -> Self {
        Self { field, default: "" }
    }
}

/// The path of the first desired field that `observed` does not have as desired; `None` when all is so.
pub fn first_difference(desired: &Value, observed: &Value) -> Option<String> {
    let mut path = Vec::new();
    differs(
        desired,
        Some(observed),
        Place {
            field: "",
            quantity: false,
            atomic: false,
        },
        &mut path,
    )
    .then(|| path.into_iter().rev().collect::<Vec<_>>().join("."))
}

/// Where in the object a comparison takes place.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Name of the nearest field.
    field: &'a str,
    /// Scalars here are quantities.
    quantity: bool,
    /// Inside an atomic list or map: only defaults may be extra.
    atomic: bool,
}

/// Pushes the path of the difference from its end, and says whether there is one.
fn differs(desired: &Value, observed: Option<&Value>, place: Place<'_>, path: &mut Vec<String>) -> bool {
    let Some(observed) = observed.filter(|value| !value.is_null()) else {
        return !counts_as_absent(desired, place.field);
    };
    match (desired, observed) {
        (Value::Null, _) => false,
        (Value::Object(desired), Value::Object(observed)) => object_differs(desired, observed, place, path),
        (Value::Array(desired), Value::Array(observed)) => list_differs(desired, observed, place, path),
        _ => !same_scalar(desired, observed, place.quantity),
    }
}

fn object_differs(
    desired: &Map<String, Value>,
    observed: &Map<String, Value>,
    place: Place<'_>,
    path: &mut Vec<String>,
) -> bool {
    for (field, value) in desired {
        let quantity = place.quantity || QUANTITIES.contains(&field.as_str());
        if differs(
            value,
            observed.get(field),
            Place {
                field,
                quantity,
                atomic: place.atomic || ATOMIC_MAPS.contains(&field.as_str()),
            },
            path,
        ) {
            path.push(field.clone());
            return true;
        }
    }
    if place.atomic {
        let extra = observed.iter().find(|(field, value)| {
            !desired.contains_key(*field) && !is_empty(value) && !is_list_default(field, value)
        });
        if let Some((field, _)) = extra {
            path.push(field.clone());
            return true;
        }
    }
    false
}

fn list_differs(desired: &[Value], observed: &[Value], place: Place<'_>, path: &mut Vec<String>) -> bool {
    let keys = KEYED_LISTS
        .iter()
        .find(|(field, _)| *field == place.field && !place.atomic)
        .map(|(_, keys)| *keys);
    let Some(keys) = keys.filter(|keys| has_keys(desired, keys)) else {
        if desired.len() != observed.len() {
            return true;
        }
        let inner = Place {
            atomic: true,
            ..place
        };
        return desired
            .iter()
            .zip(observed)
            .enumerate()
            .any(|(index, (desired, observed))| {
                let differs = differs(desired, Some(observed), inner, path);
                if differs {
                    path.push(index.to_string());
                }
                differs
            });
    };
    let mut last = None;
    for (index, entry) in desired.iter().enumerate() {
        let found = observed.iter().position(|other| same_key(entry, other, keys));
        let differs = match found {
            // Order matters in such lists too (init containers, env that refers to earlier env).
            Some(position) if last.is_some_and(|last| position < last) => true,
            Some(position) => {
                last = Some(position);
                differs(entry, observed.get(position), place, path)
            }
            None => true,
        };
        if differs {
            path.push(index.to_string());
            return true;
        }
    }
    false
}

fn has_keys(list: &[Value], keys: &[Key]) -> bool {
    list.iter()
        .all(|entry| keys.iter().any(|key| entry.get(key.field).is_some()))
}

fn same_key(a: &Value, b: &Value, keys: &[Key]) -> bool {
    keys.iter().all(|key| {
        let default = Value::from(key.default);
        a.get(key.field).unwrap_or(&default) == b.get(key.field).unwrap_or(&default)
    })
}

fn same_scalar(desired: &Value, observed: &Value, quantity: bool) -> bool {
    if desired == observed {
        return true;
    }
    if quantity && let (Some(desired), Some(observed)) = (quantity::nano(desired), quantity::nano(observed)) {
        return desired == observed;
    }
    match (desired.as_f64(), observed.as_f64()) {
        (Some(desired), Some(observed)) => (desired - observed).abs() < f64::EPSILON,
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn counts_as_absent(value: &Value, field: &str) -> bool {
    match value {
        Value::Bool(false) => ABSENT_WHEN_ZERO.contains(&field),
        Value::Number(number) => number.as_f64() == Some(0.0) && ABSENT_WHEN_ZERO.contains(&field),
        Value::Object(fields) => fields.iter().all(|(field, value)| counts_as_absent(value, field)),
        other => is_empty(other),
    }
}

fn is_list_default(field: &str, value: &Value) -> bool {
    DEFAULTS_IN_LISTS
        .iter()
        .any(|(name, default)| *name == field && value.as_str() == Some(default))
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
