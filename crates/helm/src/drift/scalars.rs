//! Whether two single values are the same.

use serde_json::Value;

use super::{quantity, rules};

/// Whether the field says the same, as far as its key tells what it is.
pub(super) fn same(desired: &Value, observed: &Value, key: &str, is_quantity: bool) -> bool {
    if desired == observed || same_number(desired, observed) {
        return true;
    }
    if is_quantity {
        return quantity::same(desired, observed);
    }
    rules::is_int_or_string(key) && text(desired).is_some_and(|desired| text(observed) == Some(desired))
}

/// `1` and `1.0`, which a way through YAML or a custom resource may exchange.
fn same_number(one: &Value, other: &Value) -> bool {
    let exact = |value: &Value| value.as_i64().is_some() || value.as_u64().is_some();
    if exact(one) && exact(other) {
        return false;
    }
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        _ => false,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}
