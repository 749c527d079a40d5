//! The comparison itself: what costs something is told, what does not is passed.

use serde_json::{Value, json};

use crate::compare::compare;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "annotations": {"hash": "1"}, "labels": {"x": "y"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "engine", "image": "i", "args": ["--a", "--b"]}]},
        }},
    })
}

fn other(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}

#[test]
fn what_costs_is_told() {
    let template = "/spec/template/spec/containers/0";
    for (pointer, value, expected) in [
        (
            format!("{template}/image"),
            json!("j"),
            r#"Deployment a: Pods restart: /spec/template/spec/containers/0/image was "i", is "j""#,
        ),
        (
            format!("{template}/args"),
            json!(["--a"]),
            "Pods restart: /spec/template/spec/containers/0/args was",
        ),
        (
            format!("{template}/args/1"),
            json!("--c"),
            r#"args/1 was "--b", is "--c""#,
        ),
        (format!("{template}/env"), json!([]), "env was nothing, is []"),
        (
            "/spec/template/metadata/labels/a".into(),
            json!("c"),
            "Pods restart",
        ),
        (
            "/spec/selector/matchLabels/a".into(),
            json!("c"),
            "cannot be changed",
        ),
        ("/metadata/name".into(), json!("b"), "Deployment a: is gone"),
    ] {
        let mut new = deployment();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match new.pointer_mut(parent).unwrap() {
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            parent => parent[key] = value,
        }
        let found = compare(&[deployment()], &[new]);
        assert!(
            found.iter().any(|one| one.to_string().contains(expected)),
            "{pointer}: {found:?}"
        );
    }
}

#[test]
fn other_kinds_have_their_costs() {
    for (kind, then, now, expected) in [
        (
            "Pod",
            json!({"containers": []}),
            json!({"containers": [{}]}),
            "Pods restart",
        ),
        (
            "StatefulSet",
            json!({"template": {}}),
            json!({"template": {"a": 1}}),
            "Pods restart",
        ),
        (
            "StatefulSet",
            json!({"serviceName": "a"}),
            json!({}),
            "cannot be changed",
        ),
        (
            "StatefulSet",
            json!({"volumeClaimTemplates": []}),
            json!({"volumeClaimTemplates": [1]}),
            "cannot be changed",
        ),
        (
            "PersistentVolumeClaim",
            json!({"storageClassName": "a"}),
            json!({}),
            "cannot be changed",
        ),
        (
            "Service",
            json!({"selector": {"a": "b"}}),
            json!({"selector": {"a": "c"}}),
            "other Pods are addressed",
        ),
        (
            "Service",
            json!({"ports": [{"port": 80}]}),
            json!({"ports": [{"port": 81}]}),
            "clients use other ports",
        ),
    ] {
        let found = compare(&[other(kind, &then)], &[other(kind, &now)]);
        assert!(found.iter().any(|one| one.what == expected), "{kind}: {found:?}");
    }
}

#[test]
fn what_costs_nothing_is_passed() {
    let mut new = deployment();
    new["metadata"]["annotations"]["hash"] = json!("2");
    new["metadata"]["labels"]["z"] = json!("w");
    new["spec"]["replicas"] = json!(3);
    new["spec"]["minReadySeconds"] = json!(5);
    let more = other("NetworkPolicy", &json!({}));
    assert_eq!(compare(&[deployment()], &[more, new]), []);
}
