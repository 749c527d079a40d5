//! A `core/v1` Pod template inside a custom resource.
//!
//! In: the core types' own schema. Out: the same as a structural schema without prose, small enough for client-side
//! `kubectl apply`, lists keyed as in `core/v1` so that server-side apply merges them, and quantities as integers or
//! strings. It must not read a template: what one means is decided in `controllers` and `serving`.

use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec, ResourceClaim};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema::bare;

/// A `core/v1` `PodTemplateSpec` as it was written.
///
/// It stays JSON, because a typed copy would lose the fields of Kubernetes versions that this one does not know, and
/// the difference between a field that is absent and one that is empty. Nulls in it mean "absent".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Value);

impl JsonSchema for PodTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PodTemplate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        template(generator)
    }
}

/// What a quantity in a template looks like; an integer is as good.
const QUANTITY: &str =
    "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+([.][0-9]*)?)?$";

/// Lists whose items Kubernetes tells apart by keys, with those keys, and of whose items no two may have the same:
/// a Pod with two of them would be refused as well. (A Pod may name one variable or one pull secret twice, so
/// `env` and `imagePullSecrets` are no such lists here.)
const KEYED: [(&str, &[&str]); 10] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("ports", &["containerPort", "protocol"]),
    ("claims", &["name"]),
    ("resourceClaims", &["name"]),
    ("schedulingGates", &["name"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
];

/// The structural schema of a Pod template.
fn template(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = core::<PodTemplateSpec>(generator);
    if let Some(metadata) = schema.pointer_mut("/properties/metadata/properties") {
        remove(metadata, &["managedFields", "ownerReferences"]);
    }
    if let Some(spec) = schema.pointer_mut("/properties/spec") {
        // An engine brings its own container; a template may add nothing but a volume.
        remove(spec, &["required"]);
        if let Some(properties) = spec.get_mut("properties") {
            // No controller's template may have them.
            remove(properties, &["ephemeralContainers"]);
            for (list, keys) in KEYED {
                key_lists_below(properties, list, keys);
            }
        }
    }
    schema
}

/// The schema of a core type like [`bare`], with quantities checked.
fn core<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bare::<T>(generator);
    if let Some(object) = schema.as_object_mut() {
        object.values_mut().for_each(check_quantities_below);
    }
    schema
}

/// `core/v1` variables, of which a later one may repeat the name of an earlier one.
pub fn env(generator: &mut SchemaGenerator) -> Schema {
    core::<Vec<EnvVar>>(generator)
}

/// `core/v1` claims of a container on devices.
pub fn resource_claims(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bare::<Vec<ResourceClaim>>(generator);
    schema.insert("x-kubernetes-list-type".into(), json!("map"));
    schema.insert("x-kubernetes-list-map-keys".into(), json!(["name"]));
    schema
}

/// Resource names with their quantities.
pub fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": quantity()})
}

fn quantity() -> Value {
    json!({"x-kubernetes-int-or-string": true, "minimum": 0, "pattern": QUANTITY})
}

/// In core types quantities are the values of maps, `sizeLimit` and `divisor`; every other integer-or-string is a port.
fn check_quantities_below(value: &mut Value) {
    let Value::Object(object) = value else { return };
    for (name, child) in object.iter_mut() {
        let choice = child.get("x-kubernetes-int-or-string").is_some();
        if choice && ["additionalProperties", "sizeLimit", "divisor"].contains(&name.as_str()) {
            *child = quantity();
        } else {
            check_quantities_below(child);
        }
    }
}

/// Marks every list of this name as one that is keyed.
fn key_lists_below(value: &mut Value, list: &str, keys: &[&str]) {
    let Value::Object(object) = value else { return };
    for (name, child) in object.iter_mut() {
        let has_keys = |item: &Map<String, Value>| {
            let properties = item.get("properties");
            keys.iter()
                .all(|key| properties.is_some_and(|all| all.get(key).is_some()))
        };
        let keyed = child
            .pointer("/items")
            .and_then(Value::as_object)
            .is_some_and(has_keys);
        if name == list && keyed {
            child["x-kubernetes-list-type"] = json!("map");
            child["x-kubernetes-list-map-keys"] = json!(keys);
            if keys.contains(&"protocol") {
                child["items"]["properties"]["protocol"]["default"] = json!("TCP");
            }
        }
        key_lists_below(child, list, keys);
    }
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Value::Object(object) = value {
        object.retain(|name, _| !names.contains(&name.as_str()));
    }
}
