//! A digest of values that is the same for the same values, whoever wrote them down.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 in hexadecimal over an object of values. No values and an empty object are the same. Numbers are compared as Helm keeps
/// them, which reads all of them as 64-bit floats: `1` and `1.0` are the same.
pub fn values_digest(values: &Value) -> String {
    let mut hash = Sha256::new();
    match values {
        Value::Null => add(&mut hash, &Value::Object(serde_json::Map::new())),
        values => add(&mut hash, values),
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Every value begins with a letter of its type, and says its length before its content: no two values look alike.
fn add(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"z"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Bool(true) => hash.update(b"t"),
        Value::Number(number) => {
            hash.update(b"n");
            // Adding zero makes the negative zero a positive one.
            let number = number.as_f64().unwrap_or(f64::NAN) + 0.0;
            hash.update(number.to_bits().to_be_bytes());
        }
        Value::String(text) => {
            hash.update(b"s");
            add_text(hash, text);
        }
        Value::Array(items) => {
            hash.update(b"a");
            hash.update(items.len().to_be_bytes());
            for item in items {
                add(hash, item);
            }
        }
        Value::Object(fields) => {
            hash.update(b"o");
            hash.update(fields.len().to_be_bytes());
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in fields {
                add_text(hash, key);
                add(hash, value);
            }
        }
    }
}

fn add_text(hash: &mut Sha256, text: &str) {
    hash.update(text.len().to_be_bytes());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_values_have_the_same_digest() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"c": [1.0, "x"]}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b": {"c": [1, "x"]}, "a": 1.0}"#).unwrap();
        assert_eq!(values_digest(&one), values_digest(&other));
        assert_eq!(values_digest(&Value::Null), values_digest(&json!({})));
        assert_eq!(
            values_digest(&json!({"a": -0.0})),
            values_digest(&json!({"a": 0}))
        );
    }

    #[test]
    fn other_values_have_another() {
        let values = [
            json!({}),
            json!({"a": null}),
            json!({"a": {}}),
            json!({"a": []}),
            json!({"a": ""}),
            json!({"a": false}),
            json!({"a": 0}),
            json!({"a": "0"}),
            json!({"a": ["b", "c"]}),
            json!({"a": ["bc"]}),
            json!({"a": "b", "c": "d"}),
            json!({"a": {"b": "c"}}),
        ];
        let digests: std::collections::BTreeSet<_> = values.iter().map(values_digest).collect();
        assert_eq!(digests.len(), values.len());
    }
}
