//! DeepSpeed-MII.

use serde_json::json;

use crate::{
    bed,
    common::{Space, repository_file},
    seen::{address, ask, http, pod_spec, port, ports, resource, table, tcp, wait_word},
};

/// What opens the private registry to the simulated nodes.
pub async fn pull_secret(space: &Space, name: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{\"auths\":{\"docker.io\":{\"username\":\"u\",\"password\":\"p\"}}}"},
    });
    space.apply(&secret.to_string()).await;
}

/// The example, row by row of the table of engines. Its image is private: it starts with the pull secret of the table.
/// Promises: S4-13
#[tokio::test]
async fn the_example_is_as_the_table_says_and_serves() {
    let space = bed().await.space("mii").await;
    pull_secret(&space, "regcred-dockerhub").await;
    space
        .apply(&repository_file("examples/prem/deepspeed-mii.yaml"))
        .await;
    wait_word(&space, "phi-2", "Ready").await;
    let gpu = json!({"nvidia.com/gpu": "1"});
    let container = json!({
        "image": "premai/deepspeed-mii:latest", "imagePullPolicy": "Always",
        "args": ["--uri", "microsoft/phi-2"],
        "resources": {"requests": gpu, "limits": gpu},
        "startupProbe": tcp(50051, [30, 1, 5, 1, 120]),
        "readinessProbe": http("/healthz", 8080, [0, 1, 10, 1, 3]),
        "livenessProbe": http("/healthz", 8080, [0, 15, 30, 1, 10]),
    });
    assert_eq!(table(&space, "phi-2").await, container);
    let pod = pod_spec(&space, "phi-2").await;
    assert_eq!((pod.volumes, pod.init_containers), (None, None));
    assert_eq!(
        json!(pod.image_pull_secrets),
        json!([{"name": "regcred-dockerhub"}])
    );
    assert_eq!(ports(&space, "phi-2").await, port(8080));
    let address = address(&space, "phi-2").await;
    let body = json!({"prompts": ["DeepSpeed is"], "max_new_tokens": 8});
    let (code, answer) = ask(&format!("http://{address}:8080/mii/default"), Some(body)).await;
    assert_eq!(code, 200, "{answer}");
}

/// A pull secret of the template takes the place of the table's, and the resource's variables reach the engine (1.7-10).
/// Promises: S4-31
#[tokio::test]
async fn the_templates_pull_secret_and_variables_count() {
    let space = bed().await.space("miisecret").await;
    pull_secret(&space, "mine").await;
    let template = json!({"spec": {"imagePullSecrets": [{"name": "mine"}], "containers": []}});
    let spec = json!({
        "engine": {"name": "deepspeed-mii"}, "models": [{"uri": "microsoft/phi-2"}],
        "env": [{"name": "HF_HUB_OFFLINE", "value": "0"}],
        "deployment": {"accelerator": {"interface": "CUDA"}, "template": template},
    });
    space.apply(&resource("phi-2", &spec)).await;
    wait_word(&space, "phi-2", "Ready").await;
    let pod = pod_spec(&space, "phi-2").await;
    assert_eq!(json!(pod.image_pull_secrets), json!([{"name": "mine"}]));
    let container = table(&space, "phi-2").await;
    assert_eq!(
        container["env"],
        json!([{"name": "HF_HUB_OFFLINE", "value": "0"}])
    );
}
