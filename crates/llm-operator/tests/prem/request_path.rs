//! The documents' first example, from `kubectl apply` to the answer of the model.

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::{
    api::{
        core::v1::{Pod, Service},
        networking::v1::Ingress,
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{
    bed,
    common::{Space, root},
    seen::{curl, service, wait_word},
};

const HOST: &str = "foo.127.0.0.1.nip.io";

/// Labels and annotations, without the operator's note to itself.
fn told(metadata: &ObjectMeta) -> (Value, Value) {
    let mut annotations = metadata.annotations.clone().unwrap_or_default();
    annotations.remove("llm-operator.io/applied-hash");
    (json!(metadata.labels), json!(annotations))
}

/// `kubectl apply -f examples/test.yaml`, unchanged: it becomes Ready, its Service and its Ingress are as documented, and
/// the documents' request is answered at the Pod to which Ingress and Service lead, which is where an Ingress controller
/// sends it.
/// Promises: S4-9, S4-10
#[tokio::test]
async fn the_example_answers_under_its_host() {
    let space = Space::existing(&bed().await.cluster, "default").await;
    let path = root().join("examples/test.yaml");
    let (applied, words) = space.kubectl(&["apply", "-f", &path.to_string_lossy()]).await;
    assert!(applied, "{words}");
    let status = wait_word(&space, "simple", "Ready").await;
    assert_eq!((status.err_msg, status.ready_replicas), (None, Some(1)));
    assert_eq!(status.url.as_deref(), Some("http://simple.default.svc:8080"));
    assert_eq!(status.endpoints, [format!("http://{HOST}/")]);
    assert_eq!(status.models, ["tinyllama-chat"]);

    let owner: AIDeployment = space.api().get("simple").await.unwrap();
    let ingress: Ingress = space.api().get("simple").await.unwrap();
    let backend = json!({"service": {"name": "simple", "port": {"number": 8080}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    assert_eq!(
        json!(ingress.spec),
        json!({"rules": [{"host": HOST, "http": {"paths": paths}}]}),
        "one host, no TLS, no class"
    );
    let service = service(&space, "simple").await;
    let labels = json!({
        "app.kubernetes.io/component": "model-server", "app.kubernetes.io/instance": "simple",
        "app.kubernetes.io/managed-by": "llm-operator", "app.kubernetes.io/name": "localai",
        "app.kubernetes.io/part-of": "llm-operator", "llm-operator.io/kind": "aideployment.premlabs.io",
        "llm-operator.io/name": "simple",
    });
    let annotations = json!({"mlcontroller.premlabs.io/ai-deployment": "simple"});
    for metadata in [&ingress.metadata, &service.metadata] {
        assert_eq!(told(metadata), (labels.clone(), annotations.clone()));
        let owners = metadata.owner_references.as_ref().unwrap();
        let expected = json!([{
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "name": "simple",
            "uid": owner.metadata.uid, "controller": true, "blockOwnerDeletion": true,
        }]);
        assert_eq!(json!(owners), expected);
    }
    let spec = service.spec.unwrap();
    assert_eq!(
        json!(spec.ports),
        json!([{"port": 8080, "targetPort": 8080, "protocol": "TCP"}])
    );
    assert_eq!(json!(spec.selector), annotations);
    assert_eq!(spec.type_.as_deref(), Some("ClusterIP"));

    let pod = endpoint(&space, &ingress).await;
    let to = format!("{HOST}:8080:{pod}");
    let url = format!("http://{HOST}:8080/v1/completions");
    let body = json!({"model": "tinyllama-chat", "prompt": "Say this is a test!"}).to_string();
    let json = "Content-Type: application/json";
    let (code, answer) = curl(&[
        "-sS",
        "-m",
        "30",
        "-w",
        "\n%{http_code}",
        "--connect-to",
        &to,
        &url,
        "-H",
        json,
        "-d",
        &body,
    ])
    .await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(answer["model"], "tinyllama-chat");
    let text = answer["choices"][0]["text"].as_str().unwrap();
    assert!(!text.is_empty(), "{answer}");

    space.delete::<AIDeployment>("simple").await;
    space.wait_gone::<Ingress>("simple").await;
    space.wait_gone::<Service>("simple").await;
}

/// Where a request for the host ends: by the rule of the Ingress, the Service of its backend, the port of that number, and
/// the one Pod that its selector finds. (Simulated Pods have loopback addresses, which `EndpointSlices` refuse.)
async fn endpoint(space: &Space, ingress: &Ingress) -> String {
    let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.as_ref());
    let mut rules = rules.unwrap().iter();
    let rule = rules.find(|rule| rule.host.as_deref() == Some(HOST)).unwrap();
    let path = &rule.http.as_ref().unwrap().paths[0];
    let backend = path.backend.service.as_ref().unwrap();
    let number = backend.port.as_ref().and_then(|port| port.number);
    let spec = service(space, &backend.name).await.spec.unwrap();
    let ports = spec.ports.unwrap();
    let port = ports.iter().find(|port| Some(port.port) == number).unwrap();
    let selector: Vec<String> = spec
        .selector
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let pods = space
        .api::<Pod>()
        .list(&ListParams::default().labels(&selector.join(",")))
        .await
        .unwrap();
    assert_eq!(pods.items.len(), 1);
    let address = pods.items[0].status.as_ref().unwrap().pod_ip.clone().unwrap();
    match port.target_port.clone().unwrap() {
        IntOrString::Int(port) => format!("{address}:{port}"),
        IntOrString::String(name) => panic!("the Pod declares no port {name}"),
    }
}
