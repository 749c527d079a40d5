//! A Deployment as a chart renders it and as the API server gives it back, and what to do with them.

use serde_json::{Value, json};

use crate::{
    drift::{Ignore, compare},
    manifest::Object,
};

pub fn object(value: Value) -> Object {
    Object::read(value).unwrap()
}

/// A Deployment as a chart renders it.
pub fn deployment() -> Object {
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
pub fn observed_deployment() -> Value {
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
pub fn told(desired: &Object, observed: &Value, ignore: &[Ignore]) -> Vec<String> {
    let findings = compare(desired, Some(observed), ignore);
    assert!(findings.iter().all(|finding| finding.object == desired.id));
    findings
        .iter()
        .map(|finding| format!("{} {:?}", finding.path, finding.difference))
        .collect()
}

/// Sets the value at a pointer, or removes it (`None`).
pub fn edit(object: &mut Value, pointer: &str, value: Option<Value>) {
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

pub const POD: &str = "/spec/template/spec";
