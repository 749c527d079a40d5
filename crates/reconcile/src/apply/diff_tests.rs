//! What counts as "already so", case by case and as a property.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::first_difference;

fn same(desired: &Value, observed: &Value) {
    assert_eq!(
        first_difference(desired, observed),
        None,
        "\n{desired}\n{observed}"
    );
}

fn differs_at(path: &str, desired: &Value, observed: &Value) {
    assert_eq!(
        first_difference(desired, observed).as_deref(),
        Some(path),
        "\n{desired}\n{observed}"
    );
}

#[test]
fn defaults_and_entries_of_others_are_no_difference() {
    same(
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "i",
            "ports": [{"containerPort": 8080}], "env": [{"name": "B", "value": "2"}]}]}}}}),
        &json!({"spec": {"replicas": 1, "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
            {"name": "sidecar"},
            {"name": "engine", "image": "i", "imagePullPolicy": "Always",
             "ports": [{"containerPort": 8080, "protocol": "TCP"}],
             "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}}}}),
    );
}

#[test]
fn a_changed_or_missing_field_is_named() {
    let desired = json!({"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "i"}]}}}});
    differs_at(
        "spec.template.spec.containers.0.image",
        &desired,
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "other"}]}}}}),
    );
    differs_at(
        "spec.template.spec.containers.0",
        &desired,
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}}),
    );
    differs_at("spec", &desired, &json!({}));
}

#[test]
fn quantities_are_compared_by_amount_and_only_where_they_are_quantities() {
    let resources =
        |cpu: Value, memory: &str| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
    same(
        &resources(json!("1000m"), "4096Mi"),
        &resources(json!("1"), "4Gi"),
    );
    same(&resources(json!(8), "1Gi"), &resources(json!("8"), "1Gi"));
    differs_at(
        "resources.limits.cpu",
        &resources(json!("2"), "1Gi"),
        &resources(json!("1"), "1Gi"),
    );
    differs_at("args.0", &json!({"args": ["1000m"]}), &json!({"args": ["1"]}));
    differs_at(
        "targetPort",
        &json!({"targetPort": 80}),
        &json!({"targetPort": "80"}),
    );
}

#[test]
fn empty_is_missing_but_false_is_not_unless_the_server_drops_it() {
    same(&json!({"a": "", "b": [], "c": {}, "d": null}), &json!({}));
    same(
        &json!({"volumeMounts": [{"mountPath": "/m", "readOnly": false}]}),
        &json!({"volumeMounts": [{"mountPath": "/m"}]}),
    );
    differs_at(
        "automountServiceAccountToken",
        &json!({"automountServiceAccountToken": false}),
        &json!({}),
    );
    differs_at("replicas", &json!({"replicas": 0}), &json!({}));
    same(
        &json!({"env": [{"name": "A", "value": ""}]}),
        &json!({"env": [{"name": "A"}]}),
    );
}

#[test]
fn atomic_lists_are_equal_but_for_the_servers_defaults() {
    let policy = |ports: Value| json!({"spec": {"ingress": [{"ports": ports}]}});
    same(
        &policy(json!([{"port": 80}])),
        &policy(json!([{"port": 80, "protocol": "TCP"}])),
    );
    differs_at(
        "spec.ingress.0.ports",
        &policy(json!([{"port": 80}])),
        &policy(json!([{"port": 80, "protocol": "TCP"}, {"port": 22, "protocol": "TCP"}])),
    );
    differs_at(
        "spec.ingress.0.from",
        &policy(json!([{"port": 80}])),
        &json!({"spec": {"ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}}),
    );
    differs_at(
        "tolerations",
        &json!({"tolerations": [{"key": "a"}]}),
        &json!({"tolerations": []}),
    );
    differs_at("args", &json!({"args": ["a"]}), &json!({"args": ["a", "b"]}));
}

#[test]
fn ports_of_a_service_are_told_apart_by_number_and_protocol() {
    let desired = json!({"ports": [{"name": "http", "port": 80, "targetPort": "http"}]});
    same(
        &desired,
        &json!({"ports": [{"name": "dns", "port": 80, "protocol": "UDP"},
            {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30000}]}),
    );
    differs_at(
        "ports.0",
        &desired,
        &json!({"ports": [{"name": "http", "port": 80, "protocol": "UDP", "targetPort": "http"}]}),
    );
}

#[test]
fn an_entry_added_to_a_selector_is_found() {
    let service = |selector: Value| json!({"spec": {"selector": selector, "ports": []}});
    differs_at(
        "spec.selector.b",
        &service(json!({"a": "1"})),
        &service(json!({"a": "1", "b": "2"})),
    );
    let policy = |selector: Value| json!({"spec": {"podSelector": selector}});
    let ours = json!({"matchLabels": {"a": "1"}});
    same(
        &policy(ours.clone()),
        &policy(json!({"matchLabels": {"a": "1"}, "matchExpressions": []})),
    );
    differs_at(
        "spec.podSelector.matchExpressions",
        &policy(ours),
        &policy(json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]})),
    );
    let labels = |value: Value| json!({"metadata": {"labels": value}});
    same(
        &labels(json!({"a": "1"})),
        &labels(json!({"a": "1", "theirs": "2"})),
    );
}

#[test]
fn the_order_of_init_containers_matters() {
    let list = |names: &[&str]| json!({"initContainers": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    same(&list(&["a", "b"]), &list(&["a", "injected", "b"]));
    differs_at("initContainers.1", &list(&["a", "b"]), &list(&["b", "a"]));
}

/// What the API server makes of an apply: desired over what is there, with defaults added.
fn merged(desired: &Value, extra: &Value) -> Value {
    match (desired, extra) {
        (Value::Object(desired), Value::Object(extra)) => {
            let mut result = extra.clone();
            for (field, value) in desired {
                let below = extra.get(field).cloned().unwrap_or(Value::Null);
                result.insert(field.clone(), merged(value, &below));
            }
            Value::Object(result)
        }
        (desired, _) => desired.clone(),
    }
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9]{0,6}".prop_map(Value::from),
    ];
    let field = prop_oneof![
        Just("limits".to_owned()),
        Just("containers".to_owned()),
        Just("ports".to_owned()),
        Just("args".to_owned()),
        "[a-z]{1,4}"
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field.clone(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z]{1,4}", tree(), 0..5)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #[test]
    fn what_was_applied_needs_no_second_write(desired in object(), extra in object()) {
        let observed = merged(&desired, &extra);
        prop_assert_eq!(first_difference(&desired, &observed), None);
    }

    #[test]
    fn a_changed_string_is_always_found(desired in object(), field in "[a-z]{1,4}", text in "[a-z]{1,6}") {
        let mut desired = desired;
        desired[&field] = Value::from(text.clone());
        let mut observed = desired.clone();
        observed[&field] = Value::from(format!("{text}x"));
        prop_assert_eq!(first_difference(&desired, &observed), Some(field));
    }
}
