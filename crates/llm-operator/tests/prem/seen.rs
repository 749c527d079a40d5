//! What tests look at: statuses of `AIDeployment`s, the objects made for them, and what the engines answer.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};

pub use crate::common::prem::{pod_spec, service, serving, wait_error, wait_word};
use crate::common::{PATIENCE, Space};

/// The engine's container as the table of engines has it: what the operator adds, and the API server's defaults of a
/// container, are looked at and taken out.
pub async fn table(space: &Space, name: &str) -> Value {
    let mut container = json!(serving(space, name).await);
    let added = [
        ("name", json!("serving")),
        ("lifecycle", json!({"preStop": {"sleep": {"seconds": 5}}})),
        ("securityContext", json!({"allowPrivilegeEscalation": false})),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("FallbackToLogsOnError")),
    ];
    for (field, value) in added {
        let found = container.as_object_mut().unwrap().remove(field);
        assert_eq!(found, Some(value), "{name}: {field}");
    }
    if container["resources"] == json!({}) {
        container.as_object_mut().unwrap().remove("resources");
    }
    container
}

/// A probe that asks a path, with these numbers (delay, timeout, period, successes, failures) for it.
pub fn http(path: &str, port: u16, numbers: [i32; 5]) -> Value {
    probe(
        json!({"httpGet": {"path": path, "port": port, "scheme": "HTTP"}}),
        numbers,
    )
}

/// A probe that asks whether a port is open.
pub fn tcp(port: u16, numbers: [i32; 5]) -> Value {
    probe(json!({"tcpSocket": {"port": port}}), numbers)
}

fn probe(mut probe: Value, [delay, timeout, period, successes, failures]: [i32; 5]) -> Value {
    // The API server does not store a delay of 0 that nobody has written.
    if delay != 0 {
        probe["initialDelaySeconds"] = json!(delay);
    }
    probe["timeoutSeconds"] = json!(timeout);
    probe["periodSeconds"] = json!(period);
    probe["successThreshold"] = json!(successes);
    probe["failureThreshold"] = json!(failures);
    probe
}

/// Ports of the Service.
pub async fn ports(space: &Space, name: &str) -> Value {
    json!(service(space, name).await.spec.unwrap().ports)
}

/// A Service with this port alone.
pub fn port(port: u16) -> Value {
    json!([{"port": port, "targetPort": port, "protocol": "TCP"}])
}

/// Pods of an `AIDeployment` that are ready and stay.
pub async fn ready_pods(space: &Space, name: &str) -> Vec<Pod> {
    let selector = format!("mlcontroller.premlabs.io/ai-deployment={name}");
    let found = space
        .api::<Pod>()
        .list(&ListParams::default().labels(&selector))
        .await
        .unwrap();
    let ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let is =
            |one: &k8s_openapi::api::core::v1::PodCondition| one.type_ == "Ready" && one.status == "True";
        pod.metadata.deletion_timestamp.is_none() && conditions.into_iter().flatten().any(is)
    };
    found.items.into_iter().filter(ready).collect()
}

/// The address of its one Pod, once there is one that is ready.
pub async fn address(space: &Space, name: &str) -> String {
    testkit::until(&format!("a ready Pod of {name}"), PATIENCE, async || {
        let pods = ready_pods(space, name).await;
        let address = pods.first().and_then(|pod| pod.status.as_ref()?.pod_ip.clone());
        address.ok_or_else(|| format!("{} Pods are ready", pods.len()))
    })
    .await
    .unwrap()
}

/// What `url` answers: GET, or POST of a body.
pub async fn ask(url: &str, body: Option<Value>) -> (u16, Value) {
    let body = body.map(|body| body.to_string());
    let mut args = vec!["-sS", "-m", "10", "-w", "\n%{http_code}", url];
    if let Some(body) = &body {
        args.extend(["-H", "Content-Type: application/json", "-d", body]);
    }
    curl(&args).await
}

/// curl; its last line is the status.
pub async fn curl(args: &[&str]) -> (u16, Value) {
    let output = tokio::process::Command::new("curl")
        .args(args)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').unwrap_or(("", "0"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let body = serde_json::from_str(body).unwrap_or_else(|_| json!(format!("{body}{errors}")));
    (code.trim().parse().unwrap_or(0), body)
}

/// Names of models that `/v1/models` of the one Pod lists, in order.
pub async fn listed(space: &Space, name: &str, port: u16) -> Vec<String> {
    let address = address(space, name).await;
    let (code, body) = ask(&format!("http://{address}:{port}/v1/models"), None).await;
    assert_eq!(code, 200, "{body}");
    let models = body["data"].as_array().unwrap().iter();
    let mut names: Vec<String> = models
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The text that `/v1/completions` of the one Pod answers with.
pub async fn completed(space: &Space, name: &str, port: u16, model: &str) -> String {
    let address = address(space, name).await;
    let body = json!({"model": model, "prompt": "Hello", "max_tokens": 8});
    let (code, answer) = ask(&format!("http://{address}:{port}/v1/completions"), Some(body)).await;
    assert_eq!(code, 200, "{model}: {answer}");
    let text = answer["choices"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(!text.is_empty(), "{answer}");
    text
}

/// An `AIDeployment` as kubectl takes it.
pub fn resource(name: &str, spec: &Value) -> String {
    let resource = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": name}, "spec": spec,
    });
    format!("---\n{resource}\n")
}

/// An `AIModelMap` as kubectl takes it.
pub fn map(name: &str, spec: &Value) -> String {
    let map = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap", "metadata": {"name": name}, "spec": spec,
    });
    format!("---\n{map}\n")
}
