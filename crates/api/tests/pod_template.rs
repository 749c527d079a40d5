//! The Pod template inside `AIDeployment`: structural, checked, merged by keys, and small.
#![allow(clippy::unwrap_used)] // helpers of a test

use serde_json::{Value, json};

/// Client-side apply has 256 KiB for the whole definition; this keeps away from that end.
const ENOUGH: usize = 100 * 1024;

fn definition() -> Value {
    let crd = api::crds()
        .into_iter()
        .find(|crd| crd.metadata.name.as_deref() == Some("aideployments.premlabs.io"));
    serde_json::to_value(crd.unwrap()).unwrap()
}

fn template() -> Value {
    let path =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deployment/properties/template";
    definition().pointer(path).unwrap().clone()
}

/// Every schema below `value`, with the name under which it stands.
fn schemas<'a>(name: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    found.push((name, value));
    for (name, child) in value["properties"].as_object().into_iter().flatten() {
        schemas(name, child, found);
    }
    for keyword in ["items", "additionalProperties"] {
        if value[keyword].is_object() {
            schemas(name, &value[keyword], found);
        }
    }
}

#[test]
fn the_definition_stays_small() {
    let bytes = serde_json::to_vec(&definition()).unwrap().len();
    assert!(bytes < ENOUGH, "{bytes} bytes");
}

#[test]
fn every_part_has_a_type_and_no_prose() {
    let template = template();
    let mut found = Vec::new();
    schemas("template", &template, &mut found);
    assert!(found.len() > 900, "only {} schemas", found.len());
    for (name, schema) in found {
        let typed = schema["type"].is_string() || schema["x-kubernetes-int-or-string"] == true;
        assert!(typed, "{name}: {schema}");
        assert_eq!(schema["$ref"], Value::Null, "{name}");
        assert_eq!(
            schema["x-kubernetes-preserve-unknown-fields"],
            Value::Null,
            "{name}"
        );
        if name != "template" {
            assert!(!schema["description"].is_string(), "{name}: {schema}");
        }
    }
}

/// The API server refuses a keyed list whose keys may be absent.
#[test]
fn keys_of_lists_are_always_there() {
    let template = template();
    let mut found = Vec::new();
    schemas("template", &template, &mut found);
    let mut keyed: Vec<&str> = Vec::new();
    for (name, schema) in found {
        for key in schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let item = &schema["items"];
            let required = item["required"].as_array().is_some_and(|all| all.contains(key));
            let key = &item["properties"][key.as_str().unwrap()];
            assert!(required || key["default"].is_string(), "{name}: {item}");
            assert_eq!(key["nullable"], Value::Null, "{name}");
            keyed.push(name);
        }
    }
    for name in [
        "containers",
        "initContainers",
        "volumes",
        "volumeMounts",
        "ports",
        "topologySpreadConstraints",
    ] {
        assert!(keyed.contains(&name), "{name} is not keyed: {keyed:?}");
    }
    assert!(!keyed.contains(&"env"), "a Pod may set one variable twice");
}

#[test]
fn quantities_are_checked_and_ports_are_not_quantities() {
    let template = template();
    let mut found = Vec::new();
    schemas("template", &template, &mut found);
    let choices = found
        .into_iter()
        .filter(|(_, schema)| schema["x-kubernetes-int-or-string"] == true);
    let (quantities, others): (Vec<_>, Vec<_>) =
        choices.partition(|(_, schema)| schema["pattern"].is_string() && schema["minimum"] == json!(0.0));
    assert!(quantities.len() > 10, "{quantities:?}");
    assert!(!others.is_empty());
    assert!(others.iter().all(|(name, _)| *name == "port"), "{others:?}");
}

#[test]
fn what_a_template_may_carry() {
    let template = template();
    let metadata = &template["properties"]["metadata"]["properties"];
    for field in ["labels", "annotations"] {
        assert_eq!(
            metadata[field]["additionalProperties"]["type"], "string",
            "{field}"
        );
    }
    let pod = &template["properties"]["spec"];
    assert_eq!(
        pod["required"],
        Value::Null,
        "the engine brings its own container"
    );
    assert_eq!(
        pod["properties"]["ephemeralContainers"],
        Value::Null,
        "no template may have them"
    );
    for field in [
        "tolerations",
        "affinity",
        "imagePullSecrets",
        "runtimeClassName",
        "securityContext",
    ] {
        assert!(pod["properties"][field].is_object(), "{field}");
    }
    assert_eq!(
        pod["properties"]["volumes"]["items"]["properties"]["ephemeral"]["type"],
        "object"
    );
}
