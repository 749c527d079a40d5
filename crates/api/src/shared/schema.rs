//! Schemas that the derive cannot write.
//!
//! In: schemars' generator. Out: schemas for quantities, for core types without their prose, and for conditions.
//! A definition must stay below 256 KiB to fit client-side `kubectl apply`; the descriptions of embedded core
//! types alone are larger than that, so they are dropped and only ours are kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A Kubernetes quantity: an integer or a string such as `"4Gi"`; neither negative nor malformed.
///
/// The expression holds for integers by the first branch; `dyn` strings are matched by the second.
pub fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "x-kubernetes-validations": [{
            "rule": "type(self) == int ? self >= 0 : self.matches('^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$')",
            "message": "must be a quantity of zero or more: an integer, or a number with a suffix such as \"500m\", \"4Gi\" or \"80G\"",
        }],
    })
}

/// [`quantity`] above zero; `field` is its name, for the message.
pub fn positive_quantity(generator: &mut SchemaGenerator, field: &str) -> Schema {
    let mut schema = quantity(generator);
    if let Some(rules) = schema
        .get_mut("x-kubernetes-validations")
        .and_then(Value::as_array_mut)
    {
        rules.push(json!({
            "rule": "quantity(string(self)).isGreaterThan(quantity('0'))",
            "message": format!("{field} must be more than zero"),
        }));
    }
    schema
}

/// A time above zero such as `100ms`, `1.5s` or `2m`.
pub fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^([0-9]+|[0-9]+[.][0-9]+)(ms|s|m)$') && self.matches('[1-9]')",
            "message": "must be a time above zero such as \"100ms\", \"1.5s\" or \"2m\"",
        }],
    })
}

/// How long nobody may use a model until it stops, such as `15m` or `2h`: 30 seconds to a week.
pub fn idle(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[0-9]{1,6}(s|m|h)$') && duration(self) >= duration('30s') && duration(self) <= duration('168h')",
            "message": "must be a time from \"30s\" to \"168h\" such as \"15m\" or \"2h\"",
        }],
    })
}

/// A share of requests such as `99%`, at least half of them and not all.
pub fn attainment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 8,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[5-9][0-9]([.][0-9]{1,3})?%$')",
            "message": "must be a share of requests from \"50%\" to \"99.999%\"",
        }],
    })
}

/// The schema of a core type, inlined, without descriptions.
pub fn bare<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<T>();
    if let Some(object) = schema.as_object_mut() {
        for value in object.values_mut() {
            drop_descriptions(value);
        }
        object.remove("description");
    }
    schema
}

/// [`bare`] for a list of core types with at most `MAX` items.
pub fn bare_list<T: JsonSchema, const MAX: usize>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bare::<Vec<T>>(generator);
    schema.insert("maxItems".into(), json!(MAX));
    schema
}

/// `metav1.Condition` as a list keyed by `type`.
pub fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bare::<Vec<Condition>>(generator);
    schema.insert("x-kubernetes-list-type".into(), json!("map"));
    schema.insert("x-kubernetes-list-map-keys".into(), json!(["type"]));
    schema
}

/// Removes every `description` that is a keyword; a *property* of that name (its value is an object) stays.
fn drop_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            object.values_mut().for_each(drop_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_descriptions),
        _ => {}
    }
}
