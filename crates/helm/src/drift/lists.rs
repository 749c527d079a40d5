//! Which items of two lists belong together.

use serde_json::Value;

use super::rules;

/// How the items of a list are told apart.
pub(super) enum Pairing<'a> {
    /// By keys: each desired item with its name and its counterpart. Further items may be there.
    ByKey(Vec<(String, &'a Value, Option<&'a Value>)>),
    /// By position; the lists are of the same length.
    ByIndex(Vec<(&'a Value, &'a Value)>),
    /// Not at all: the list as a whole is another.
    Differs,
}

/// Pairs the items of the list `field`.
pub(super) fn pair<'a>(field: &str, desired: &'a [Value], observed: &'a [Value]) -> Pairing<'a> {
    if field == "finalizers" {
        return by_key(desired, observed, |item| item.as_str().map(str::to_owned))
            .unwrap_or(Pairing::Differs);
    }
    let keys = if field == "ports" {
        rules::PORT_KEYS.into_iter().find(|keys| {
            !desired.is_empty()
                && desired
                    .iter()
                    .all(|item| item.get(keys[0]).is_some_and(Value::is_number))
        })
    } else {
        rules::merge_keys(field)
    };
    if let Some(pairs) = keys.and_then(|keys| by_key(desired, observed, |item| name(item, keys))) {
        return pairs;
    }
    if desired.len() == observed.len() {
        Pairing::ByIndex(desired.iter().zip(observed).collect())
    } else {
        Pairing::Differs
    }
}

/// None when the keys do not tell the desired items apart.
fn by_key<'a>(
    desired: &'a [Value],
    observed: &'a [Value],
    key: impl Fn(&Value) -> Option<String>,
) -> Option<Pairing<'a>> {
    let mut pairs: Vec<(String, &Value, Option<&Value>)> = Vec::with_capacity(desired.len());
    for item in desired {
        let name = key(item)?;
        if pairs.iter().any(|(other, ..)| *other == name) {
            return None;
        }
        let counterpart = observed.iter().find(|other| key(other).as_deref() == Some(&name));
        pairs.push((name, item, counterpart));
    }
    Some(Pairing::ByKey(pairs))
}

/// `8000/TCP`: the values of the keys. Only the protocol may be left out.
fn name(item: &Value, keys: &[&str]) -> Option<String> {
    let values = keys.iter().map(|key| match item.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        None | Some(Value::Null) if *key == "protocol" => Some("TCP".to_owned()),
        _ => None,
    });
    Some(values.collect::<Option<Vec<_>>>()?.join("/"))
}
