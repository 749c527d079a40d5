//! Two sets of definitions.
//!
//! In: definitions as YAML or the API server has them. Out: what the new ones take away from the old ones.

use serde_json::Value;

use crate::{
    breaches::{Breach, Breaches},
    schema,
};

/// What `new` takes away.
pub fn compare(old: &[Value], new: &[Value]) -> Vec<Breach> {
    let mut all = Vec::new();
    for old in old {
        let name = old["metadata"]["name"].as_str().unwrap_or_default();
        let mut breaches = Breaches::of(name);
        match new.iter().find(|new| new["metadata"]["name"] == name) {
            None => breaches.add("", "the definition is gone"),
            Some(new) => one(&mut breaches, &old["spec"], &new["spec"]),
        }
        all.extend(breaches.finish());
    }
    all
}

fn one(breaches: &mut Breaches<'_>, old: &Value, new: &Value) {
    for field in ["group", "scope"] {
        same(breaches, "", field, &old[field], &new[field]);
    }
    // Clients, roles and scripts use any of these.
    for field in ["kind", "listKind", "plural", "singular"] {
        same(
            breaches,
            "",
            &format!("names.{field}"),
            &name(old, field),
            &name(new, field),
        );
    }
    for field in ["shortNames", "categories"] {
        for gone in missing(&old["names"][field], &new["names"][field], Value::eq) {
            breaches.add("", format!("names.{field} has no {gone} any more"));
        }
    }
    let stored = |spec: &Value| {
        let versions = spec["versions"].as_array().cloned().unwrap_or_default();
        let stored = versions.into_iter().find(|version| version["storage"] == true);
        stored.map_or(Value::Null, |version| version["name"].clone())
    };
    same(
        breaches,
        "",
        "the version that is stored",
        &stored(old),
        &stored(new),
    );
    for old in old["versions"].as_array().into_iter().flatten() {
        let name = old["name"].as_str().unwrap_or_default();
        let mut candidates = new["versions"].as_array().into_iter().flatten();
        match candidates.find(|new| new["name"] == name) {
            None => breaches.add(name, "the version is gone"),
            Some(new) => version(breaches, name, old, new),
        }
    }
}

/// A name of the definition, with what the API server fills in where it is left out.
fn name(spec: &Value, field: &str) -> Value {
    let names = &spec["names"];
    let kind = names["kind"].as_str().unwrap_or_default();
    match (field, &names[field]) {
        ("listKind", Value::Null) => format!("{kind}List").into(),
        ("singular", Value::Null) => kind.to_lowercase().into(),
        (_, value) => value.clone(),
    }
}

fn version(breaches: &mut Breaches<'_>, name: &str, old: &Value, new: &Value) {
    if old["served"] == true && new["served"] != true {
        breaches.add(name, "the version is not served any more");
    }
    for field in ["status", "scale"] {
        let (old, new) = (&old["subresources"][field], &new["subresources"][field]);
        if !old.is_null() {
            same(breaches, name, &format!("subresource {field}"), old, new);
        }
    }
    let is_path = |one: &Value, other: &Value| one["jsonPath"] == other["jsonPath"];
    for gone in missing(&old["selectableFields"], &new["selectableFields"], is_path) {
        breaches.add(
            name,
            format!("{} cannot be selected by any more", gone["jsonPath"]),
        );
    }
    schema::compare(
        breaches,
        &format!("{name} "),
        &old["schema"]["openAPIV3Schema"],
        &new["schema"]["openAPIV3Schema"],
    );
}

fn same(breaches: &mut Breaches<'_>, path: &str, field: &str, old: &Value, new: &Value) {
    if old != new {
        breaches.add(path, format!("{field} was {old}, is {new}"));
    }
}

/// Elements of one list that the other does not have.
fn missing<'a>(old: &'a Value, new: &Value, is: impl Fn(&Value, &Value) -> bool) -> Vec<&'a Value> {
    let new = new.as_array().cloned().unwrap_or_default();
    let old = old.as_array().into_iter().flatten();
    old.filter(|old| !new.iter().any(|new| is(old, new))).collect()
}
