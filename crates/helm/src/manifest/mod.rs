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

/// As Go's YAML reads it: a leading zero means an octal number (`defaultMode: 0644`).
fn read(document: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| error.to_string())
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
