//! Any container.

use serde_json::json;

use crate::{
    bed,
    common::repository_file,
    seen::{address, ask, curl, http, pod_spec, port, ports, resource, table, wait_word},
};

/// The example: the template's first container, renamed, with the resource's variables and ports; everything else of it
/// stays as it is written.
/// Promises: S4-13, S4-20
#[tokio::test]
async fn the_example_keeps_its_container_and_serves() {
    let space = bed().await.space("generic").await;
    space.apply(&repository_file("examples/prem/generic.yaml")).await;
    wait_word(&space, "answer", "Ready").await;
    let container = json!({
        "image": "oven/bun:alpine", "imagePullPolicy": "IfNotPresent",
        "args": ["-p", "8080", "./index.js"],
        "env": [{"name": "MODEL_ALIAS", "value": "answer-1"}],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "script", "mountPath": "/home/bun/app"}],
        "startupProbe": http("/readyz", 8080, [1, 5, 5, 1, 3]),
        "readinessProbe": http("/healthz", 8080, [0, 1, 10, 1, 3]),
        "livenessProbe": http("/healthz", 8080, [0, 5, 60, 1, 3]),
    });
    assert_eq!(table(&space, "answer").await, container);
    let pod = pod_spec(&space, "answer").await;
    assert_eq!(
        json!(pod.volumes),
        json!([{"name": "script", "configMap": {"name": "answer-script", "defaultMode": 420}}])
    );
    assert_eq!(pod.containers.len(), 1);
    assert_eq!(pod.runtime_class_name, None);
    assert_eq!(ports(&space, "answer").await, port(8080));
    let url = format!("http://{}:8080/", address(&space, "answer").await);
    let (code, answer) = curl(&["-sS", "-w", "\n%{http_code}", &url]).await;
    assert_eq!(code, 200, "{answer}");
}

/// 1.7-8: without an endpoint the Service led to port 8000, on which nobody listened.
/// Promises: S4-20, S4-31
#[tokio::test]
async fn without_an_endpoint_the_service_leads_to_the_port_that_a_probe_asks() {
    let space = bed().await.space("ollama").await;
    space
        .apply(&repository_file("examples/prem/generic-ollama.yaml"))
        .await;
    wait_word(&space, "ollama", "Ready").await;
    let first = ports(&space, "ollama").await[0].clone();
    let number = json!(11434);
    assert_eq!((&first["port"], &first["targetPort"]), (&number, &number));
    let container = table(&space, "ollama").await;
    let gpu = json!({"nvidia.com/gpu": "1"});
    assert_eq!(container["resources"], json!({"requests": gpu, "limits": gpu}));
    let url = format!("http://{}:11434/api/version", address(&space, "ollama").await);
    let (code, answer) = ask(&url, None).await;
    assert_eq!(code, 200, "{answer}");
}

/// Every endpoint's port is declared once, 0 is none, the first one is the Service's; only the first container is renamed;
/// a probe that is changed and not there is made (1.7-8).
/// Promises: S4-20, S4-31
#[tokio::test]
async fn the_first_container_serves_on_the_first_endpoints_port() {
    let space = bed().await.space("ports").await;
    let endpoint = |domain: &str, port: u16| json!({"domain": domain, "port": port});
    let spec = json!({
        "engine": {"name": "generic"},
        "endpoint": [endpoint("a.example.com", 8081), endpoint("b.example.com", 9090),
            endpoint("c.example.com", 8081), endpoint("d.example.com", 0)],
        "args": ["--verbose"],
        "models": [{"uri": "ignored"}],
        "deployment": {
            "replicas": 0,
            "livenessProbe": {"periodSeconds": 7},
            "template": {"spec": {"containers": [
                {"name": "main", "image": "your-registry/gpt-small", "args": ["--port", "8081"]},
                {"name": "beside", "image": "busybox:1"},
            ]}},
        },
    });
    space.apply(&resource("many", &spec)).await;
    assert_eq!(ports(&space, "many").await, port(8081));
    let container = table(&space, "many").await;
    assert_eq!(
        container["ports"],
        json!([{"containerPort": 8081, "protocol": "TCP"}, {"containerPort": 9090, "protocol": "TCP"}])
    );
    assert_eq!(container["args"], json!(["--port", "8081", "--verbose"]));
    assert_eq!(container["livenessProbe"]["tcpSocket"], json!({"port": 8081}));
    assert_eq!(container["livenessProbe"]["periodSeconds"], 7);
    let names: Vec<String> = pod_spec(&space, "many")
        .await
        .containers
        .into_iter()
        .map(|container| container.name)
        .collect();
    assert_eq!(names, ["serving", "beside"]);
}
