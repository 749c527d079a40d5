//! What each field reads, one by one, where a mistake would be easy to make.

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentSpec, AIModelMapSpec};
use serde_json::{Value, json};

fn spec(value: Value) -> AIDeploymentSpec {
    serde_json::from_value(value).unwrap()
}

#[test]
fn names_on_the_wire_are_those_of_the_original() {
    let every = json!({
        "endpoint": [{"domain": "a.example.com", "port": 8081}],
        "engine": {"name": "vllm", "options": {"imageTag": "v1", "dtype": "half"}},
        "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        "args": ["--x"],
        "service": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "deployment": {
            "labels": {"a": "b"},
            "annotations": {"c": "d"},
            "accelerator": {"interface": "CUDA", "minVersion": {"major": 7, "minor": 5}},
            "resources": {"requests": {"nvidia.com/gpu": "2"}, "limits": {"memory": "1Gi"}, "claims": [{"name": "gpu"}]},
            "nodeSelector": {"disk": "fast"},
            "replicas": 3,
            "template": {"metadata": {"labels": {"x": "y"}}, "spec": {"containers": []}},
            "startupProbe": {"initialDelaySeconds": 0, "timeoutSeconds": 1, "periodSeconds": 2, "successThreshold": 1,
                "failureThreshold": 4, "terminationGracePeriodSeconds": 5},
            "readinessProbe": {"periodSeconds": 6},
            "livenessProbe": {"periodSeconds": 7}
        },
        "ingress": {"labels": {"a": "b"}, "annotations": {"c": "d"}, "tls": true, "className": "traefik"},
        "models": [{
            "modelMapRef": {"namespace": "maps", "name": "m", "variant": "v"},
            "uri": "a/b", "quantization": "awq", "dataType": "float16", "engineConfigFile": "x: 1", "options": {"k": "v"}
        }],
        "access": {"from": [{"podSelector": {}}]}
    });
    let read = spec(every.clone());
    assert_eq!(serde_json::to_value(&read).unwrap(), every);
    let variant = json!({"variant": "v", "uri": "a/b", "quantization": "gptq", "dataType": "int4", "engineConfigFile": "x"});
    let map = json!({
        "localai": [variant], "vllm": [variant], "deepspeed-mii": [variant], "tensor_rt": [variant], "allowedNamespaces": []
    });
    let read: AIModelMapSpec = serde_json::from_value(map.clone()).unwrap();
    assert_eq!(read.allowed_namespaces.as_deref(), Some(&[][..]));
    assert_eq!(serde_json::to_value(&read).unwrap(), map);
}

#[test]
fn zero_and_absent_are_told_apart() {
    let probe = |value| {
        spec(json!({"deployment": {"startupProbe": value}}))
            .deployment
            .unwrap()
            .startup_probe
            .unwrap()
    };
    assert_eq!(
        probe(json!({"initialDelaySeconds": 0})).initial_delay_seconds,
        Some(0)
    );
    assert_eq!(probe(json!({})).initial_delay_seconds, None);
    assert_eq!(
        probe(json!({"initialDelaySeconds": null})).initial_delay_seconds,
        None
    );
}

#[test]
fn a_quantity_is_the_same_as_integer_and_as_string() {
    let cpu = |value: Value| {
        let resources = spec(json!({"deployment": {"resources": {"requests": {"cpu": value}}}}))
            .deployment
            .unwrap()
            .resources;
        resources.unwrap().requests.unwrap()["cpu"].0.clone()
    };
    assert_eq!(cpu(json!(8)), cpu(json!("8")));
}

#[test]
fn a_status_of_the_original_is_read() {
    for status in [
        json!({}),
        json!({"status": "Failed", "errMsg": "unknown engine x"}),
        json!({"status": "Ready"}),
    ] {
        let object = json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": "a"},
            "spec": {"engine": {"name": "x"}}, "status": status,
        });
        let read: AIDeployment = serde_json::from_value(object).unwrap();
        assert_eq!(serde_json::to_value(read.status.unwrap()).unwrap(), status);
    }
}
