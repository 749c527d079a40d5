use serde_json::{Value, json};

use super::*;
use crate::manifest::Object;

fn object(value: Value) -> Object {
    Object::read(value).unwrap()
}

/// A Deployment as a chart renders it.
fn deployment() -> Object {
    object(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "decode", "namespace": "llm-d",
            "labels": {"app.kubernetes.io/part-of": "llm-d", "llm-d.ai/role": "decode"},
            "annotations": null,
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"llm-d.ai/role": "decode"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/part-of": "llm-d", "llm-d.ai/role": "decode"}},
                "spec": {
                    "hostNetwork": false,
                    "nodeSelector": {},
                    "imagePullSecrets": [],
                    "initContainers": [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always", "ports": [{"containerPort": 8000}]}],
                    "containers": [{
                        "name": "vllm",
                        "image": "vllm:1",
                        "args": ["serve", "--port", "8200"],
                        "env": [
                            {"name": "HOME", "value": "/cache"},
                            {"name": "EMPTY", "value": ""},
                            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
                        ],
                        "ports": [{"containerPort": 8200, "protocol": "TCP"}, {"name": "metrics", "containerPort": 8201}],
                        "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "nvidia.com/gpu": 1}, "requests": {}},
                        "livenessProbe": {"httpGet": {"path": "/health", "port": 8200}, "initialDelaySeconds": 0},
                        "volumeMounts": [{"name": "cache", "mountPath": "/cache", "readOnly": false}],
                        "securityContext": {"allowPrivilegeEscalation": false, "runAsUser": 0},
                    }],
                    "tolerations": [{"key": "gpu", "operator": "Exists"}],
                    "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }))
}

/// The same as the API server gives it back.
fn observed_deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "decode", "namespace": "llm-d", "uid": "1", "resourceVersion": "7", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [],
            "labels": {"app.kubernetes.io/part-of": "llm-d", "llm-d.ai/role": "decode", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"deployment.kubernetes.io/revision": "1", "meta.helm.sh/release-name": "demo"},
        },
        "spec": {
            "progressDeadlineSeconds": 600, "replicas": 2, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"llm-d.ai/role": "decode"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"creationTimestamp": null, "labels": {"llm-d.ai/role": "decode", "app.kubernetes.io/part-of": "llm-d"}},
                "spec": {
                    "initContainers": [{
                        "name": "proxy", "image": "proxy:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
                        "ports": [{"containerPort": 8000, "protocol": "TCP"}], "resources": {},
                    }],
                    "containers": [{
                        "name": "vllm", "image": "vllm:1", "imagePullPolicy": "IfNotPresent",
                        "args": ["serve", "--port", "8200"],
                        "env": [
                            {"name": "HOME", "value": "/cache"},
                            {"name": "EMPTY"},
                            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
                        ],
                        "ports": [{"containerPort": 8200, "protocol": "TCP"}, {"name": "metrics", "containerPort": 8201, "protocol": "TCP"}],
                        "resources": {"limits": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"}},
                        "livenessProbe": {
                            "httpGet": {"path": "/health", "port": 8200, "scheme": "HTTP"},
                            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                        },
                        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                        "securityContext": {"allowPrivilegeEscalation": false, "runAsUser": 0},
                        "terminationMessagePath": "/dev/termination-log",
                    }],
                    "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}, "schedulerName": "default-scheduler",
                    "tolerations": [{"key": "gpu", "operator": "Exists"}],
                    "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
        "status": {"replicas": 2},
    })
}

/// `path difference`, one per finding.
fn told(desired: &Object, observed: &Value, ignore: &[Ignore]) -> Vec<String> {
    let findings = compare(desired, Some(observed), ignore);
    assert!(findings.iter().all(|finding| finding.object == desired.id));
    findings
        .iter()
        .map(|finding| format!("{} {:?}", finding.path, finding.difference))
        .collect()
}

/// Sets the value at a pointer, or removes it (`None`).
fn edit(object: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = object.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key, value)),
        (Value::Object(fields), None) => drop(fields.remove(&key).unwrap()),
        (Value::Array(items), Some(value)) if key == "-" => items.push(value),
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        (Value::Array(items), None) => drop(items.remove(key.parse().unwrap())),
        (other, _) => panic!("{other} has no {key}"),
    }
}

const POD: &str = "/spec/template/spec";

#[test]
fn what_the_api_server_adds_or_writes_differently_is_no_drift() {
    assert_eq!(
        told(&deployment(), &observed_deployment(), &[]),
        Vec::<String>::new()
    );
}

#[test]
fn what_others_add_is_no_drift() {
    let additions = [
        ("/metadata/labels/mine", json!("x")),
        ("/metadata/annotations/mine", json!("x")),
        ("/spec/template/metadata/labels/mine", json!("x")),
        (
            "/spec/template/spec/containers/-",
            json!({"name": "sidecar", "image": "x"}),
        ),
        (
            "/spec/template/spec/containers/0/env/-",
            json!({"name": "MORE", "value": "x"}),
        ),
        (
            "/spec/template/spec/containers/0/volumeMounts/-",
            json!({"name": "tmp", "mountPath": "/tmp"}),
        ),
        (
            "/spec/template/spec/volumes/-",
            json!({"name": "more", "emptyDir": {}}),
        ),
        ("/spec/template/spec/priorityClassName", json!("high")),
        ("/spec/replicas", json!(2.0)),
    ];
    for (pointer, value) in additions {
        let mut observed = observed_deployment();
        edit(&mut observed, pointer, Some(value));
        assert_eq!(
            told(&deployment(), &observed, &[]),
            Vec::<String>::new(),
            "{pointer}"
        );
    }
    let mut reordered = observed_deployment();
    for list in ["containers/0/env", "containers/0/ports", "volumes"] {
        let list = reordered.pointer_mut(&format!("{POD}/{list}")).unwrap();
        list.as_array_mut().unwrap().reverse();
    }
    assert_eq!(told(&deployment(), &reordered, &[]), Vec::<String>::new());
}

#[test]
fn what_a_user_can_see_is_found() {
    let container = "spec.template.spec.containers[vllm]";
    let cases = [
        (
            "/spec/replicas",
            Some(json!(3)),
            "spec.replicas Changed".to_owned(),
        ),
        (
            "/spec/replicas",
            Some(json!(0)),
            "spec.replicas Changed".to_owned(),
        ),
        (
            "/metadata/labels/llm-d.ai~1role",
            Some(json!("x")),
            "metadata.labels[llm-d.ai/role] Changed".to_owned(),
        ),
        (
            "/metadata/labels/llm-d.ai~1role",
            None,
            "metadata.labels[llm-d.ai/role] LabelLost".to_owned(),
        ),
        (
            "/spec/template/metadata/labels/app.kubernetes.io~1part-of",
            None,
            "spec.template.metadata.labels[app.kubernetes.io/part-of] LabelLost".to_owned(),
        ),
        (
            "/spec/selector/matchLabels/more",
            Some(json!("x")),
            "spec.selector.matchLabels.more Changed".to_owned(),
        ),
        (
            "/spec/template/spec/containers/0/image",
            Some(json!("vllm:2")),
            format!("{container}.image Changed"),
        ),
        (
            "/spec/template/spec/containers/0/name",
            Some(json!("other")),
            format!("{container} Missing"),
        ),
        (
            "/spec/template/spec/initContainers/0/image",
            Some(json!("p:2")),
            "spec.template.spec.initContainers[proxy].image Changed".to_owned(),
        ),
        (
            "/spec/template/spec/initContainers/0/restartPolicy",
            None,
            "spec.template.spec.initContainers[proxy].restartPolicy Missing".to_owned(),
        ),
        (
            "/spec/template/spec/containers/0/args/2",
            Some(json!("8300")),
            format!("{container}.args[2] Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args/-",
            Some(json!("--more")),
            format!("{container}.args Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args/2",
            None,
            format!("{container}.args Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args",
            None,
            format!("{container}.args Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/0/value",
            Some(json!("/x")),
            format!("{container}.env[HOME].value Changed"),
        ),
        (
            "/spec/template/spec/containers/0/env/0",
            None,
            format!("{container}.env[HOME] Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/0",
            Some(json!({"name": "HOME", "valueFrom": {"fieldRef": {"fieldPath": "x"}}})),
            format!("{container}.env[HOME].value Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/1/valueFrom",
            Some(json!({"fieldRef": {"fieldPath": "x"}})),
            format!("{container}.env[EMPTY].value Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/2/valueFrom/secretKeyRef/key",
            Some(json!("other")),
            format!("{container}.env[TOKEN].valueFrom.secretKeyRef.key Changed"),
        ),
        (
            "/spec/template/spec/containers/0/ports/1/name",
            Some(json!("m")),
            format!("{container}.ports[8201/TCP].name Changed"),
        ),
        (
            "/spec/template/spec/containers/0/ports/0/protocol",
            Some(json!("UDP")),
            format!("{container}.ports[8200/TCP] Missing"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/cpu",
            Some(json!("501m")),
            format!("{container}.resources.limits.cpu Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/memory",
            Some(json!("1G")),
            format!("{container}.resources.limits.memory Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu",
            Some(json!("2")),
            format!("{container}.resources.limits[nvidia.com/gpu] Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits",
            None,
            format!("{container}.resources.limits Missing"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe/httpGet/port",
            Some(json!("http")),
            format!("{container}.livenessProbe.httpGet.port Changed"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe/initialDelaySeconds",
            Some(json!(5)),
            format!("{container}.livenessProbe.initialDelaySeconds Changed"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe",
            None,
            format!("{container}.livenessProbe Missing"),
        ),
        (
            "/spec/template/spec/containers/0/volumeMounts/0/readOnly",
            Some(json!(true)),
            format!("{container}.volumeMounts[/cache].readOnly Changed"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
            Some(json!(true)),
            format!("{container}.securityContext.allowPrivilegeEscalation Changed"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
            None,
            format!("{container}.securityContext.allowPrivilegeEscalation Missing"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/runAsUser",
            None,
            format!("{container}.securityContext.runAsUser Missing"),
        ),
        (
            "/spec/template/spec/hostNetwork",
            Some(json!(true)),
            "spec.template.spec.hostNetwork Changed".to_owned(),
        ),
        (
            "/spec/template/spec/nodeSelector",
            Some(json!({"gpu": "x"})),
            "spec.template.spec.nodeSelector.gpu Changed".to_owned(),
        ),
        (
            "/spec/template/spec/tolerations/0/key",
            Some(json!("x")),
            "spec.template.spec.tolerations[0].key Changed".to_owned(),
        ),
        (
            "/spec/template/spec/tolerations",
            None,
            "spec.template.spec.tolerations Missing".to_owned(),
        ),
        (
            "/spec/template/spec/volumes/0/emptyDir/sizeLimit",
            Some(json!("2Gi")),
            "spec.template.spec.volumes[cache].emptyDir.sizeLimit Changed".to_owned(),
        ),
        (
            "/spec/template/spec/volumes/1",
            Some(json!({"name": "tmp", "hostPath": {"path": "/"}})),
            "spec.template.spec.volumes[tmp].emptyDir Missing".to_owned(),
        ),
    ];
    for (pointer, value, finding) in cases {
        let mut observed = observed_deployment();
        edit(&mut observed, pointer, value);
        assert_eq!(told(&deployment(), &observed, &[]), [finding], "{pointer}");
    }
}

#[test]
fn what_is_to_be_ignored_is() {
    let mut observed = observed_deployment();
    edit(&mut observed, "/spec/replicas", Some(json!(7)));
    edit(
        &mut observed,
        "/spec/template/spec/containers/0/image",
        Some(json!("x")),
    );
    edit(&mut observed, "/metadata/labels/llm-d.ai~1role", Some(json!("x")));
    let rule = |kind: Option<&str>, name: Option<&str>, pointers: &[&str]| Ignore {
        kind: kind.map(str::to_owned),
        name: name.map(str::to_owned),
        pointers: pointers.iter().map(|pointer| (*pointer).to_owned()).collect(),
    };
    let count = |rule: Ignore| told(&deployment(), &observed, &[rule]).len();
    let all = [
        "/spec/replicas",
        "/metadata/labels/llm-d.ai~1role",
        "/spec/template/spec/containers/vllm/image",
    ];
    assert_eq!(count(rule(None, None, &[])), 3);
    assert_eq!(count(rule(Some("Deployment"), None, &["/spec/replicas"])), 2);
    assert_eq!(count(rule(Some("StatefulSet"), None, &["/spec/replicas"])), 3);
    assert_eq!(
        count(rule(Some("Deployment"), Some("other"), &["/spec/replicas"])),
        3
    );
    assert_eq!(count(rule(None, Some("decode"), &all)), 0);
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/0/image"])),
        2
    );
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/*/image"])),
        2
    );
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/1/image"])),
        3
    );
    assert_eq!(count(rule(None, None, &["/spec"])), 1);

    let mut gone = observed;
    edit(&mut gone, "/spec/template/spec/containers", None);
    let rules = [rule(
        None,
        None,
        &["/spec/template", "/spec/replicas", "/metadata/labels"],
    )];
    assert_eq!(told(&deployment(), &gone, &rules), Vec::<String>::new());
}

#[test]
fn objects_are_missing_left_alone_or_on_their_way_out() {
    let missing = compare(&deployment(), None, &[]);
    assert_eq!(missing.len(), 1);
    assert_eq!(
        missing[0].to_string(),
        "Deployment.apps llm-d/decode: it is missing"
    );

    let mut observed = observed_deployment();
    edit(&mut observed, "/spec/replicas", Some(json!(7)));
    assert_eq!(
        compare(&deployment(), Some(&observed), &[])[0].to_string(),
        "Deployment.apps llm-d/decode: spec.replicas was changed"
    );
    for managed in ["true", "False", ""] {
        let mut observed = observed.clone();
        observed["metadata"]["annotations"][MANAGED_ANNOTATION] = json!(managed);
        assert_eq!(told(&deployment(), &observed, &[]).len(), 1, "{managed:?}");
    }
    let mut alone = observed.clone();
    alone["metadata"]["annotations"][MANAGED_ANNOTATION] = json!("false");
    assert_eq!(told(&deployment(), &alone, &[]), Vec::<String>::new());
    observed["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(told(&deployment(), &observed, &[]), Vec::<String>::new());

    let job = |spec: Value| {
        object(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": spec}))
    };
    assert_eq!(compare(&job(json!({})), None, &[]).len(), 1);
    assert_eq!(
        compare(&job(json!({"ttlSecondsAfterFinished": 0})), None, &[]),
        []
    );
}

#[test]
fn all_labels_lost_are_told_one_by_one() {
    let mut observed = observed_deployment();
    edit(&mut observed, "/metadata/labels", None);
    assert_eq!(
        told(&deployment(), &observed, &[]),
        [
            "metadata.labels[app.kubernetes.io/part-of] LabelLost",
            "metadata.labels[llm-d.ai/role] LabelLost"
        ]
    );
}

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
