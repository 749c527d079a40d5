//! Values of charts: merged and read as Helm does it. Pure.

use serde_json::{Map, Value};

/// `over` laid over `base`: objects are merged field by field, everything else is replaced. A null stays a null, so that it
/// still removes what the chart itself has there.
pub fn merged(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let below = base.remove(&key).unwrap_or(Value::Null);
                base.insert(key, merged(below, value));
            }
            Value::Object(base)
        }
        (_, over) => over,
    }
}

/// What templates see: the chart's own values with `values` over them, where a null removes.
pub fn effective(defaults: &Value, values: &Value) -> Value {
    without_nulls(merged(defaults.clone(), values.clone()))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// The value at a path of fields.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, field| value.get(*field))
}

/// The text at a path of fields.
pub fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path).and_then(Value::as_str)
}

/// Objects with nothing but `value` at the end of the path.
pub fn nested(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |value, field| {
        Value::Object(Map::from_iter([((*field).to_owned(), value)]))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_merged_and_all_else_is_replaced() {
        let base = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1});
        let over = json!({"a": {"y": [3]}, "c": true});
        assert_eq!(
            merged(base, over),
            json!({"a": {"x": 1, "y": [3]}, "b": 1, "c": true})
        );
        assert_eq!(merged(json!({"a": {"x": 1}}), json!({"a": 2})), json!({"a": 2}));
    }

    #[test]
    fn a_null_is_handed_on_and_removes_for_templates() {
        let (base, over) = (json!({"a": {"x": 1, "y": 2}}), json!({"a": {"x": null}}));
        assert_eq!(
            merged(base.clone(), over.clone()),
            json!({"a": {"x": null, "y": 2}})
        );
        assert_eq!(effective(&base, &over), json!({"a": {"y": 2}}));
    }

    #[test]
    fn paths_are_read_and_made() {
        let value = nested(&["a", "b"], json!("c"));
        assert_eq!(text_at(&value, &["a", "b"]), Some("c"));
        assert_eq!(at(&value, &["a", "x", "b"]), None);
    }
}
