//! Any spec: what the types read, they write back; a null in any optional place is the same as nothing there.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{AIDeploymentSpec, AIModelMapSpec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A field that is absent, null or as `inner` makes it.
fn maybe(inner: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 3 => inner.prop_map(Some)].boxed()
}

fn object(fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values
        .prop_map(move |values| {
            let some = names
                .iter()
                .zip(values)
                .filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(some.collect::<Map<_, _>>())
        })
        .boxed()
}

fn always(inner: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    inner.prop_map(Some).boxed()
}

fn text() -> BoxedStrategy<Value> {
    "[ -~]{0,12}".prop_map(Value::from).boxed()
}

fn number() -> BoxedStrategy<Value> {
    any::<i32>().prop_map(Value::from).boxed()
}

fn map(value: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::btree_map("[a-z./]{1,8}", value, 0..3)
        .prop_map(|map: BTreeMap<String, Value>| json!(map))
        .boxed()
}

fn list(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(item, 0..3).prop_map(Value::from).boxed()
}

/// As a string; an integer is read as the string of the same number, which `integers_become_strings` covers.
fn quantity() -> BoxedStrategy<Value> {
    "[0-9]{1,3}(m|Gi|Ti|k|e3|)".prop_map(Value::from).boxed()
}

fn labels() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    vec![
        ("labels", maybe(map(text()))),
        ("annotations", maybe(map(text()))),
    ]
}

fn parameters() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    ["uri", "quantization", "dataType", "engineConfigFile"]
        .map(|name| (name, maybe(text())))
        .into()
}

fn probe() -> BoxedStrategy<Value> {
    let fields = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
        "terminationGracePeriodSeconds",
    ];
    object(fields.map(|name| (name, maybe(number()))).into())
}

fn deployment() -> BoxedStrategy<Value> {
    let version = object(vec![("major", always(number())), ("minor", maybe(number()))]);
    let accelerator = object(vec![
        ("interface", always(text())),
        ("minVersion", maybe(version)),
    ]);
    let resources = object(vec![
        ("requests", maybe(map(quantity()))),
        ("limits", maybe(map(quantity()))),
    ]);
    let template = object(vec![("spec", maybe(map(list(text()))))]);
    let mut fields = labels();
    fields.extend([
        ("accelerator", maybe(accelerator)),
        ("resources", maybe(resources)),
        ("nodeSelector", maybe(map(text()))),
        ("replicas", maybe(number())),
        ("template", maybe(template)),
        ("startupProbe", maybe(probe())),
        ("readinessProbe", maybe(probe())),
        ("livenessProbe", maybe(probe())),
    ]);
    object(fields)
}

fn model() -> BoxedStrategy<Value> {
    let reference = object(vec![
        ("namespace", maybe(text())),
        ("name", always(text())),
        ("variant", always(text())),
    ]);
    let mut fields = parameters();
    fields.extend([("modelMapRef", maybe(reference)), ("options", maybe(map(text())))]);
    object(fields)
}

fn deployment_spec() -> BoxedStrategy<Value> {
    let mut ingress = labels();
    ingress.extend([
        ("tls", maybe(any::<bool>().prop_map(Value::from))),
        ("className", maybe(text())),
    ]);
    let endpoint = object(vec![("domain", always(text())), ("port", maybe(number()))]);
    let variable = object(vec![("name", always(text())), ("value", maybe(text()))]);
    object(vec![
        ("endpoint", maybe(list(endpoint))),
        (
            "engine",
            maybe(object(vec![
                ("name", always(text())),
                ("options", maybe(map(text()))),
            ])),
        ),
        ("env", maybe(list(variable))),
        ("args", maybe(list(text()))),
        ("service", maybe(object(labels()))),
        ("deployment", maybe(deployment())),
        ("ingress", maybe(object(ingress))),
        ("models", maybe(list(model()))),
    ])
}

fn map_spec() -> BoxedStrategy<Value> {
    let mut variant = parameters();
    variant.push(("variant", always(text())));
    let variants = list(object(variant));
    object(vec![
        ("localai", maybe(variants.clone())),
        ("vllm", maybe(variants.clone())),
        ("deepspeed-mii", maybe(variants.clone())),
        ("tensor_rt", maybe(variants)),
        ("allowedNamespaces", maybe(list(text()))),
    ])
}

/// Without nulls outside of the template, which is kept as it was written.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                (
                    key.clone(),
                    if key == "template" {
                        value.clone()
                    } else {
                        without_nulls(value)
                    },
                )
            })
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn any_deployment_is_read_and_written_back(spec in deployment_spec()) {
        let read: AIDeploymentSpec = serde_json::from_value(spec.clone()).map_err(|error| TestCaseError::fail(format!("{error}: {spec}")))?;
        let written = serde_json::to_value(&read).unwrap();
        prop_assert_eq!(&written, &without_nulls(&spec));
        let again: AIDeploymentSpec = serde_json::from_value(written).unwrap();
        prop_assert_eq!(again, read);
    }

    #[test]
    fn any_map_is_read_and_written_back(spec in map_spec()) {
        let read: AIModelMapSpec = serde_json::from_value(spec.clone()).map_err(|error| TestCaseError::fail(format!("{error}: {spec}")))?;
        let written = serde_json::to_value(&read).unwrap();
        prop_assert_eq!(&written, &without_nulls(&spec));
        let again: AIModelMapSpec = serde_json::from_value(written).unwrap();
        prop_assert_eq!(again, read);
    }

    #[test]
    fn integers_become_strings(number in any::<u32>()) {
        let spec = json!({"deployment": {"resources": {"limits": {"cpu": number}}}});
        let read: AIDeploymentSpec = serde_json::from_value(spec).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        prop_assert_eq!(&written["deployment"]["resources"]["limits"]["cpu"], &json!(number.to_string()));
    }
}
