use serde_json::{Value, json};

use super::fixture::{edit, object, told};
use crate::drift::Ignore;

#[test]
fn secrets_are_compared_by_what_is_stored() {
    let desired = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "type": "Opaque",
        "data": {"one": "aGVs\nbG8=", "two": "b2xk", "none": null},
        "stringData": {"two": "new", "three": "text"},
    }));
    let observed = json!({"type": "Opaque", "data": {"one": "aGVsbG8=", "two": "bmV3", "three": "dGV4dA==", "more": "eA=="}});
    assert_eq!(told(&desired, &observed, &[]), Vec::<String>::new());
    let changed = json!({"type": "x", "data": {"one": "eA==", "two": "b2xk"}});
    assert_eq!(
        told(&desired, &changed, &[]),
        [
            "type Changed",
            "data.one Changed",
            "data.three Missing",
            "data.two Changed"
        ]
    );
    let ignored = Ignore {
        pointers: vec!["/data/one".to_owned(), "/type".to_owned()],
        ..Ignore::default()
    };
    assert_eq!(
        told(&desired, &changed, &[ignored]),
        ["data.three Missing", "data.two Changed"]
    );
    assert_eq!(told(&desired, &json!({"type": "Opaque"}), &[]).len(), 3);
}

#[test]
fn services_config_maps_and_claims() {
    let service = object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"type": "ClusterIP", "selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": 8000}]},
    }));
    let observed = json!({"spec": {
        "type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "selector": {"app": "a"}, "sessionAffinity": "None",
        "ports": [{"name": "http", "port": 80, "targetPort": 8000, "protocol": "TCP"}],
    }});
    assert_eq!(told(&service, &observed, &[]), Vec::<String>::new());
    let mut edited = observed.clone();
    edit(&mut edited, "/spec/selector/more", Some(json!("x")));
    edit(&mut edited, "/spec/ports/0/targetPort", Some(json!(9000)));
    assert_eq!(
        told(&service, &edited, &[]),
        [
            "spec.ports[80/TCP].targetPort Changed",
            "spec.selector.more Changed"
        ]
    );

    let map = object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
        "data": {"plugins.yaml": "a: 1\n", "cpu": "1"},
    }));
    assert_eq!(
        told(
            &map,
            &json!({"data": {"plugins.yaml": "a: 1\n", "cpu": "1", "more": ""}}),
            &[]
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        told(
            &map,
            &json!({"data": {"plugins.yaml": "a: 1", "cpu": "1000m"}}),
            &[]
        ),
        ["data.cpu Changed", "data[plugins.yaml] Changed"],
        "texts are no quantities"
    );

    let claim = object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "0.5Ti"}}},
    }));
    let bound = json!({"spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeMode": "Filesystem", "volumeName": "pv",
        "resources": {"requests": {"storage": "512Gi"}},
    }});
    assert_eq!(told(&claim, &bound, &[]), Vec::<String>::new());
    let mut grown = bound;
    edit(&mut grown, "/spec/resources/requests/storage", Some(json!("1Ti")));
    edit(&mut grown, "/spec/storageClassName", None);
    assert_eq!(
        told(&claim, &grown, &[]),
        [
            "spec.resources.requests.storage Changed",
            "spec.storageClassName Missing"
        ]
    );
}

#[test]
fn roles_and_policies_are_compared_as_a_whole() {
    let role = object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    }));
    let rules = |rules: Value| json!({ "rules": rules });
    let same = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]});
    let more = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]});
    assert_eq!(told(&role, &rules(json!([same])), &[]), Vec::<String>::new());
    assert_eq!(
        told(&role, &rules(json!([more])), &[]),
        ["rules[0].verbs Changed"]
    );
    assert_eq!(told(&role, &rules(json!([same, more])), &[]), ["rules Changed"]);

    let policy = object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"},
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]},
    }));
    let observed = |pods: Value, ports: Value| {
        json!({"spec": {
            "podSelector": pods, "ingress": [{"ports": ports}], "policyTypes": ["Ingress"],
        }})
    };
    let port = json!([{"port": 80, "protocol": "TCP"}]);
    assert_eq!(
        told(&policy, &observed(json!({}), port.clone()), &[]),
        Vec::<String>::new()
    );
    assert_eq!(
        told(&policy, &observed(json!({"matchLabels": {"a": "b"}}), port), &[]),
        ["spec.podSelector.matchLabels Changed"]
    );
    let open = json!([{"port": 81, "protocol": "TCP"}]);
    assert_eq!(told(&policy, &observed(json!({}), open), &[]).len(), 1);
}

#[test]
fn custom_resources_come_back_as_they_were_sent() {
    let route = object(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "a"},
        "spec": {
            "parentRefs": [{"name": "inference-gateway"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool", "weight": 0}],
                "timeouts": {"request": "0s"},
            }],
        },
    }));
    let observed = json!({
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool", "weight": 0}],
                "timeouts": {"request": "0s"},
            }],
        },
    });
    assert_eq!(told(&route, &observed, &[]), Vec::<String>::new());
    let cases = [
        (
            "/spec/rules/0/backendRefs/0/weight",
            Some(json!(1)),
            "spec.rules[0].backendRefs[0].weight Changed",
        ),
        (
            "/spec/rules/0/backendRefs/0/weight",
            None,
            "spec.rules[0].backendRefs[0].weight Missing",
        ),
        ("/spec/rules/0/timeouts", None, "spec.rules[0].timeouts Missing"),
        (
            "/spec/parentRefs/-",
            Some(json!({"name": "other"})),
            "spec.parentRefs Changed",
        ),
    ];
    for (pointer, value, finding) in cases {
        let mut edited = observed.clone();
        edit(&mut edited, pointer, value);
        assert_eq!(told(&route, &edited, &[]), [finding]);
    }

    let gateway = |listeners: Value| json!({"spec": {"listeners": listeners}});
    let (http, https) = (
        json!({"name": "http", "port": 80}),
        json!({"name": "https", "port": 443}),
    );
    let mut desired = gateway(json!([http]));
    desired["apiVersion"] = json!("gateway.networking.k8s.io/v1");
    desired["kind"] = json!("Gateway");
    desired["metadata"] = json!({"name": "a"});
    let desired = object(desired);
    assert_eq!(
        told(&desired, &gateway(json!([https, http])), &[]),
        Vec::<String>::new()
    );
    assert_eq!(
        told(&desired, &gateway(json!([https])), &[]),
        ["spec.listeners[http] Missing"]
    );
}
