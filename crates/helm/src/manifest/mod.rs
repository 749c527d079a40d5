//! A release's manifest as objects.
//!
//! In: the text that Helm keeps. Out: its objects in their order, and the kinds that a cluster must serve to take them. It must not
//! change them.

mod object;
mod split;

pub use object::{KindId, Object, ObjectId};
pub use split::split;

use serde_json::Value;

/// A document that is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {index} of the manifest {message}")]
pub struct ManifestError {
    /// Which document, counted from 1.
    pub index: usize,
    /// What is wrong with it.
    pub message: String,
}

/// All objects of a manifest. Lists are taken apart; documents that hold nothing but comments are left out.
pub fn parse(manifest: &str) -> Result<Vec<Object>, ManifestError> {
    let mut objects = Vec::new();
    for (at, document) in split(manifest).into_iter().enumerate() {
        let failed = |message: String| ManifestError {
            index: at + 1,
            message,
        };
        let value = read(document).map_err(|error| failed(format!("is no YAML: {error}")))?;
        flatten(value, &mut objects).map_err(failed)?;
    }
    Ok(objects)
}

/// The kinds of these objects, each once, in order.
pub fn kinds<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Vec<KindId> {
    let mut kinds: Vec<_> = objects.into_iter().map(|object| object.id.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// As Go's YAML reads it and writes it as JSON: a leading zero means an octal number (`defaultMode: 0644`), and a float without a
/// fraction is a whole number, which the API server asks for.
fn read(document: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let mut value =
        serde_saphyr::from_str_with_options(document, options).map_err(|error| error.to_string())?;
    whole_numbers(&mut value);
    Ok(value)
}

fn whole_numbers(value: &mut Value) {
    /// All whole numbers up to this one have a float of their own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
            // Written without a fraction it reads as a whole number.
            if let Some(whole) = float.and_then(|float| format!("{float:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn flatten(value: Value, objects: &mut Vec<Object>) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Object(mut list) if is_list && list.get("items").is_some_and(Value::is_array) => {
            let Some(Value::Array(items)) = list.remove("items") else {
                return Ok(());
            };
            items.into_iter().try_for_each(|item| flatten(item, objects))
        }
        value => {
            objects.push(Object::read(value)?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r"---
# Source: chart/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  namespace: llm-d
data:
  key: |
    text
---
# Source: chart/templates/empty.yaml
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: b
spec:
  template:
    spec:
      volumes:
        - name: v
          configMap: {name: a, defaultMode: 0644}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: c}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}
";

    #[test]
    fn objects_are_read_in_order_and_lists_taken_apart() {
        let objects = parse(MANIFEST).unwrap();
        let ids: Vec<_> = objects.iter().map(|object| object.id.to_string()).collect();
        assert_eq!(
            ids,
            [
                "ConfigMap llm-d/a",
                "Deployment.apps b",
                "HTTPRoute.gateway.networking.k8s.io c",
                "ConfigMap d"
            ]
        );
        assert_eq!(objects[0].value["data"]["key"], "text\n");
        assert_eq!(
            objects[1].value["spec"]["template"]["spec"]["volumes"][0]["configMap"]["defaultMode"],
            0o644
        );
    }

    /// What Go's `sigs.k8s.io/yaml` makes of the same texts.
    #[test]
    fn values_are_read_as_helm_reads_them() {
        let cases = [
            ("0644", "420"),
            ("08", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("1e3", "1000"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("1e21", "1e+21"),
            ("yes", "true"),
            ("off", "false"),
            ("~", "null"),
            ("1:30", "\"1:30\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("v1.2.3", "\"v1.2.3\""),
            ("!!str 1", "\"1\""),
        ];
        for (yaml, json) in cases {
            assert_eq!(
                read(&format!("a: {yaml}")).unwrap()["a"].to_string(),
                json,
                "{yaml}"
            );
        }
    }

    #[test]
    fn kinds_are_told_once() {
        let kinds = kinds(&parse(MANIFEST).unwrap());
        let kinds: Vec<_> = kinds
            .iter()
            .map(|kind| format!("{} {}", kind.api_version(), kind.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                "v1 ConfigMap",
                "apps/v1 Deployment",
                "gateway.networking.k8s.io/v1 HTTPRoute"
            ]
        );
    }

    #[test]
    fn what_is_no_object_is_told_with_its_place() {
        let error = parse("apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\nkind: B\n").unwrap_err();
        assert_eq!(error.to_string(), "document 2 of the manifest has no apiVersion");
        assert_eq!(parse("---\na: [\n").unwrap_err().index, 1);
        assert!(parse("just text").is_err());
    }
}
