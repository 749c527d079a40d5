//! Two schemas of one field, and of everything below it.
//!
//! In: the schemas as the definitions have them. Out: every way in which the new one takes less, keeps less or means
//! something else. What cannot be compared (patterns, rules) counts as a breach when it changed at all.

use serde_json::Value;

use crate::breaches::Breaches;

/// Limits that take less the larger they are.
const LOWER: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
/// Limits that take less the smaller they are.
const UPPER: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];
/// Restrictions of which nobody can say whether another is wider.
const OPAQUE: [&str; 7] = [
    "pattern",
    "format",
    "multipleOf",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
];
/// Restrictions that are there or not.
const FLAGS: [&str; 4] = [
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "x-kubernetes-embedded-resource",
];
/// What is accepted beside the type, or is not.
const PERMISSIONS: [&str; 3] = [
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
];
/// By these, appliers share lists and maps: another value, and fields of others are lost.
const MERGING: [&str; 3] = [
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
];

/// Adds what `new` takes away from `old`; `path` begins with the version.
pub fn compare(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    types(breaches, path, old, new);
    enums(breaches, path, old, new);
    limits(breaches, path, old, new);
    for field in OPAQUE {
        if !new[field].is_null() && new[field] != old[field] {
            breaches.add(path, format!("{field} was {}, is {}", old[field], new[field]));
        }
    }
    for field in FLAGS {
        if new[field] == true && old[field] != true {
            breaches.add(path, format!("{field} is new"));
        }
    }
    for field in PERMISSIONS {
        if old[field] == true && new[field] != true {
            breaches.add(path, format!("{field} is gone"));
        }
    }
    for field in MERGING.into_iter().chain(["default"]) {
        if new[field] != old[field] {
            breaches.add(path, format!("{field} was {}, is {}", old[field], new[field]));
        }
    }
    required(breaches, path, old, new);
    rules(breaches, path, old, new);
    below(breaches, path, old, new);
}

fn types(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    let (old_type, new_type) = (&old["type"], &new["type"]);
    let wider = new_type.is_null() || (old_type == "integer" && new_type == "number");
    if old_type != new_type && !wider {
        breaches.add(path, format!("type was {old_type}, is {new_type}"));
    }
}

fn enums(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    let Some(now) = new["enum"].as_array() else {
        return;
    };
    match old["enum"].as_array() {
        None => breaches.add(path, "enum is new"),
        Some(before) => {
            for gone in before.iter().filter(|value| !now.contains(value)) {
                breaches.add(path, format!("enum has no {gone} any more"));
            }
        }
    }
}

fn limits(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    let mut limit = |field: &str, takes_less: fn(f64, f64) -> bool| {
        let (before, now) = (old[field].as_f64(), new[field].as_f64());
        let narrower = match (before, now) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(now)) => takes_less(before, now),
        };
        if narrower {
            breaches.add(path, format!("{field} was {}, is {}", old[field], new[field]));
        }
    };
    for field in LOWER {
        limit(field, |before, now| now > before);
    }
    for field in UPPER {
        limit(field, |before, now| now < before);
    }
}

/// A field that has a default is never missing.
fn required(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    let before = old["required"].as_array().cloned().unwrap_or_default();
    for field in new["required"].as_array().into_iter().flatten() {
        let name = field.as_str().unwrap_or_default();
        if !before.contains(field) && new["properties"][name]["default"].is_null() {
            breaches.add(path, format!("{name} is required now"));
        }
    }
}

/// Another message of the same rule takes nothing away.
fn rules(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    let rules = |schema: &Value| {
        let all = schema["x-kubernetes-validations"].as_array().cloned();
        all.unwrap_or_default()
    };
    let before: Vec<Value> = rules(old).into_iter().map(|rule| rule["rule"].clone()).collect();
    for rule in rules(new) {
        if !before.contains(&rule["rule"]) {
            breaches.add(path, format!("new rule {}", rule["rule"]));
        }
    }
}

fn below(breaches: &mut Breaches<'_>, path: &str, old: &Value, new: &Value) {
    for (name, before) in old["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match new["properties"].get(name) {
            None => breaches.add(&path, "the field is gone"),
            Some(now) => compare(breaches, &path, before, now),
        }
    }
    if !old["items"].is_null() {
        compare(breaches, &format!("{path}[]"), &old["items"], &new["items"]);
    }
    match (&old["additionalProperties"], &new["additionalProperties"]) {
        (Value::Null, _) => {}
        (Value::Object(_), now @ Value::Object(_)) => {
            compare(breaches, &format!("{path}.*"), &old["additionalProperties"], now);
        }
        (before, now) if before == now || *now == true => {}
        (_, _) => breaches.add(path, "fields of any name are not kept any more"),
    }
}
