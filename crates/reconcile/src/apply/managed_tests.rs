use super::*;

const UID: &str = "u-1";

/// What the earlier operator owns: the owner reference, and `fields`.
fn maker(fields: &Value) -> Value {
    let mut all = json!({"f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"u-1\"}": {}}}});
    union(all.as_object_mut().unwrap(), fields.as_object());
    entry("manager", "Update", &all)
}

fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2024-01-01T00:00:00Z", "fieldsV1": fields})
}

fn taken(kind: &str, released: &[&str], entries: &[Value]) -> Option<Vec<Value>> {
    let text = json!({"metadata": {"name": "a", "managedFields": entries}}).to_string();
    let taken = Managers::of(&text)
        .unwrap()
        .taken_over(("v1", kind), UID, released);
    taken.map(|taken| taken.entries)
}

#[test]
fn the_makers_fields_become_ours_and_everybody_elses_stay() {
    let others = [
        entry(
            "kube-controller-manager",
            "Update",
            &json!({"f:metadata": {"f:annotations": {"f:revision": {}}}}),
        ),
        entry(
            "kubectl-annotate",
            "Update",
            &json!({"f:metadata": {"f:annotations": {"f:note": {}}}}),
        ),
        entry(
            "flux",
            "Apply",
            &json!({"f:metadata": {"f:labels": {"f:team": {}}}}),
        ),
    ];
    let mut status = maker(&json!({"f:status": {}}));
    status["subresource"] = "status".into();
    let mut before = others.to_vec();
    before.push(status.clone());
    before.push(maker(
        &json!({"f:spec": {"f:ports": {".": {}, "k:{\"port\":80}": {".": {}, "f:port": {}}}}}),
    ));
    before.push(entry("llm-operator", "Apply", &json!({"f:data": {"f:k": {}}})));
    let after = taken("Service", &[], &before).unwrap();
    assert_eq!(after[..3], others);
    assert_eq!(after[3], status);
    assert_eq!(after.len(), 5, "one entry of ours, none of the maker");
    assert_eq!(
        (&after[4]["manager"], &after[4]["operation"]),
        (&"llm-operator".into(), &"Apply".into())
    );
    assert_eq!(
        after[4]["fieldsV1"],
        json!({
            "f:data": {"f:k": {}},
            "f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"u-1\"}": {}}},
            "f:spec": {"f:ports": {".": {}, "k:{\"port\":80}": {".": {}, "f:port": {}}}},
        })
    );
}

#[test]
fn what_the_server_gave_finalizers_and_released_fields_stay_with_the_maker() {
    let before = maker(&json!({
        "f:metadata": {"f:finalizers": {".": {}, "v:\"x\"": {}}},
        "f:spec": {"f:clusterIP": {}, "f:type": {}, "f:replicas": {}},
    }));
    let after = taken("Service", &["/spec/replicas"], &[before]).unwrap();
    assert_eq!(
        after[0]["fieldsV1"],
        json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"x\"": {}}}, "f:spec": {"f:clusterIP": {}, "f:replicas": {}}})
    );
    assert_eq!(after[1]["fieldsV1"]["f:spec"], json!({"f:type": {}}));
    assert!(after[1]["fieldsV1"]["f:metadata"].get("f:finalizers").is_none());
}

#[test]
fn a_parent_that_owns_nothing_is_not_owned_as_a_whole() {
    let before = maker(&json!({"f:spec": {"f:clusterIP": {}}}));
    let after = taken("Service", &[], &[before]).unwrap();
    assert!(after[1]["fieldsV1"].get("f:spec").is_none(), "{after:?}");
}

#[test]
fn nobody_is_taken_over_from_who_did_not_set_our_owner_reference() {
    let other_uid = entry(
        "manager",
        "Update",
        &json!({"f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"u-2\"}": {}}}}),
    );
    let mut other_version = maker(&json!({}));
    other_version["apiVersion"] = "v1beta1".into();
    let mut by_apply = maker(&json!({}));
    by_apply["operation"] = "Apply".into();
    for entries in [vec![], vec![other_uid], vec![other_version], vec![by_apply]] {
        assert_eq!(taken("Service", &[], &entries), None, "{entries:?}");
    }
}
