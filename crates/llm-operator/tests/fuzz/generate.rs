//! Specs from a schema: in a definition of ours, out a strategy for JSON values.
//!
//! Most values are plausible, a few are hostile; required fields are there nearly always, optional ones seldom.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::words::{AMOUNTS, KEYS, hostile, plausible};

/// How often an optional field of our own is given.
const OWN_FIELDS: f64 = 0.16;
/// How often an optional field inside a type of Kubernetes is given; there are many.
const CORE_FIELDS: f64 = 0.35;

/// A model and a deployment of it.
pub fn pairs() -> BoxedStrategy<(Value, Value)> {
    (specs(&schema("LLMModel")), specs(&schema("LLMDeployment"))).boxed()
}

/// Specs of this schema.
pub fn specs(schema: &Value) -> BoxedStrategy<Value> {
    let generator = Generator { monsters: monsters() };
    generator.tame("spec", schema, 0)
}

/// What every field shares.
struct Generator {
    monsters: BoxedStrategy<Value>,
}

/// The schema of `spec`.
pub fn schema(kind: &str) -> Value {
    let crd = api::crds()
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind)
        .unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

impl Generator {
    fn value(&self, field: &str, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        let tame = self.tame(field, schema, depth);
        prop_oneof![60 => tame, 1 => self.monsters.clone()].boxed()
    }

    fn tame(&self, field: &str, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        if let Some(choices) = schema["enum"].as_array() {
            return prop::sample::select(choices.clone()).boxed();
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return int_or_string(field);
        }
        match schema["type"].as_str() {
            Some("object") if schema["properties"].is_object() => self.object(schema, depth),
            Some("object") => self.map(field, &schema["additionalProperties"], depth),
            Some("array") => {
                let item = self.value(field, &schema["items"], depth + 1);
                prop::collection::vec(item, 0..3).prop_map(Value::from).boxed()
            }
            Some("integer") => integers(schema).boxed(),
            Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
            _ => text(field),
        }
    }

    fn object(&self, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let optional = if depth == 0 { OWN_FIELDS } else { CORE_FIELDS };
        let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, schema)| {
                let often = if required.contains(&name.as_str()) {
                    0.99
                } else {
                    optional
                };
                let name = name.clone();
                let value = self
                    .value(&name, schema, depth + 1)
                    .prop_map(move |value| (name.clone(), value));
                prop::option::weighted(often, value).boxed()
            })
            .collect();
        fields
            .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>()))
            .boxed()
    }

    fn map(&self, field: &str, values: &Value, depth: u32) -> BoxedStrategy<Value> {
        let key = prop_oneof![9 => prop::sample::select(&KEYS[..3]), 2 => prop::sample::select(&KEYS[..])];
        let value = self.value(field, values, depth + 1);
        prop::collection::vec((key, value), 0..3)
            .prop_map(|pairs| {
                let pairs = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
                Value::Object(pairs.collect())
            })
            .boxed()
    }
}

fn text(field: &str) -> BoxedStrategy<Value> {
    let words = prop::sample::select(plausible(field)).prop_map(Value::from);
    // The first is right nearly everywhere.
    let first = Just(Value::from(plausible(field)[0]));
    prop_oneof![3 => first, 3 => words, 1 => "[a-z][a-z0-9-]{0,9}[a-z0-9]".prop_map(Value::from)].boxed()
}

fn int_or_string(field: &str) -> BoxedStrategy<Value> {
    let numbers = prop_oneof![4 => 0..4_i64, 1 => Just(8080_i64), 1 => -2..70_000_i64];
    let texts = if matches!(plausible(field), ["a", ..]) {
        &AMOUNTS[..]
    } else {
        plausible(field)
    };
    prop_oneof![
        2 => numbers.prop_map(Value::from),
        3 => prop::sample::select(texts).prop_map(Value::from),
    ]
    .boxed()
}

fn integers(schema: &Value) -> BoxedStrategy<Value> {
    // JSON has them as `1.0`; no field of ours begins anywhere else.
    let least = i64::from(schema["minimum"].as_f64() == Some(1.0));
    prop_oneof![
        8 => (least..least + 5).prop_map(Value::from),
        1 => prop::sample::select(vec![-1, 0, 1, 65_535, 65_536, i64::from(i32::MAX), i64::from(i32::MAX) + 1, i64::MIN])
            .prop_map(Value::from),
    ]
    .boxed()
}

/// Values of any type that fit nowhere.
fn monsters() -> BoxedStrategy<Value> {
    let deep = (0..60).fold(json!("deep"), |inner, _| json!([{"x": inner}]));
    let many: Vec<Value> = (0..500).map(|n| json!(format!("{n}"))).collect();
    prop_oneof![
        6 => prop::sample::select(hostile()).prop_map(Value::from),
        2 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f32>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({})),
        1 => Just(json!([])),
        1 => Just(deep),
        1 => Just(Value::from(many)),
    ]
    .boxed()
}
