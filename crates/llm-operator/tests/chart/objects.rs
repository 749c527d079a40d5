//! Manifests as objects that can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// Kind, namespace and name.
pub type Id = (String, String, String);

/// Labels that Helm adds to say whose an object is.
const RELEASE: [&str; 4] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
];

/// The objects of a manifest, by what names them.
pub fn objects(manifest: &str) -> BTreeMap<Id, Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    let mut found = BTreeMap::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &document["metadata"];
        let id = (
            word(&document["kind"]),
            word(&metadata["namespace"]),
            word(&metadata["name"]),
        );
        let before = found.insert(id.clone(), document);
        assert_eq!(before, None, "{id:?} stands there twice");
    }
    found
}

/// Without what only Helm has: labels of the release, and hooks.
pub fn plain(objects: BTreeMap<Id, Value>) -> BTreeMap<Id, Value> {
    let own = objects
        .into_iter()
        .filter(|(_, object)| object["metadata"]["annotations"]["helm.sh/hook"].is_null());
    own.map(|(id, mut object)| {
        if let Some(labels) = object
            .pointer_mut("/metadata/labels")
            .and_then(Value::as_object_mut)
        {
            labels.retain(|label, _| !RELEASE.contains(&label.as_str()));
        }
        (id, object)
    })
    .collect()
}

/// The one object of a kind and name.
pub fn one<'a>(objects: &'a BTreeMap<Id, Value>, kind: &str, name: &str) -> &'a Value {
    let found: Vec<&Value> = objects
        .iter()
        .filter(|(id, _)| id.0 == kind && id.2 == name)
        .map(|(_, object)| object)
        .collect();
    assert_eq!(found.len(), 1, "{kind} {name}: {:?}", objects.keys());
    found[0]
}

/// Whether there is an object of a kind and name.
pub fn has(objects: &BTreeMap<Id, Value>, kind: &str, name: &str) -> bool {
    objects.keys().any(|id| id.0 == kind && id.2 == name)
}
