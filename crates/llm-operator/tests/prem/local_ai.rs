//! LocalAI: gallery names, configuration files, and what an edit of a map does.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::{
    bed,
    common::{PATIENCE, Space},
    seen::{completed, http, listed, map, pod_spec, port, ports, resource, table, wait_word},
};

const WEIGHTS: &str = "huggingface://o/r/tinyllama.Q4_K_M.gguf";

/// A configuration file of LocalAI for a model of this name.
fn file(name: &str) -> String {
    format!("name: {name}\nparameters:\n  model: {WEIGHTS}\n")
}

fn spec(models: &Value) -> Value {
    json!({"engine": {"name": "localai"}, "models": models})
}

/// Two names of the gallery: the container row by row of the table of engines, and both models answer.
/// Promises: S4-13
#[tokio::test]
async fn gallery_names_are_arguments_and_are_served() {
    let space = bed().await.space("gallery").await;
    let mut spec = spec(&json!([{"uri": "tinyllama-chat"}, {"uri": "phi-2"}]));
    spec["env"] = json!([{"name": "DEBUG", "value": "true"}]);
    space.apply(&resource("two", &spec)).await;
    wait_word(&space, "two", "Ready").await;
    let container = json!({
        "image": "quay.io/go-skynet/local-ai:latest", "imagePullPolicy": "Always",
        "args": ["tinyllama-chat", "phi-2"],
        "env": [{"name": "DEBUG", "value": "true"}, {"name": "MODELS_PATH", "value": "/models"}],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "startupProbe": http("/readyz", 8080, [1, 1, 10, 1, 120]),
        "readinessProbe": http("/healthz", 8080, [0, 1, 10, 1, 3]),
        "livenessProbe": http("/healthz", 8080, [0, 15, 30, 1, 10]),
    });
    assert_eq!(table(&space, "two").await, container);
    let pod = pod_spec(&space, "two").await;
    assert_eq!(
        json!(pod.volumes),
        json!([{"name": "models", "emptyDir": {"medium": "Memory"}}, {"name": "cache", "emptyDir": {}}])
    );
    assert_eq!((pod.init_containers, pod.image_pull_secrets), (None, None));
    assert_eq!(ports(&space, "two").await, port(8080));
    for model in ["tinyllama-chat", "phi-2"] {
        completed(&space, "two", 8080, model).await;
    }
}

/// A file of a map of the same namespace, of a map of another one, and of the resource itself, on one engine: all are
/// listed and serve. The original mounted a ConfigMap that nobody made for the last two (1.7-5).
/// Promises: S4-17, S4-18, S4-31
#[tokio::test]
async fn configuration_files_from_everywhere_are_served() {
    let bed = bed().await;
    let (here, there) = (bed.space("here").await, bed.space("there").await);
    let variants = |name: &str, allowed: &Value| json!({"allowedNamespaces": allowed, "localai": [{"variant": "v1", "uri": "unused", "engineConfigFile": file(name)}]});
    there
        .apply(&map("shared", &variants("from-there", &json!([here.namespace]))))
        .await;
    let reference =
        |namespace: &str, name: &str| json!({"namespace": namespace, "name": name, "variant": "v1"});
    let models = json!([
        {"modelMapRef": reference(&here.namespace, "own-0.1")},
        {"modelMapRef": reference(&there.namespace, "shared")},
        {"engineConfigFile": file("inline")},
        {"modelMapRef": {"name": "own-0.1", "variant": "v1"}, "engineConfigFile": file("over-the-map")},
        {"uri": "phi-2"},
    ]);
    here.apply(&(map("own-0.1", &variants("from-here", &json!(null))) + &resource("many", &spec(&models))))
        .await;
    wait_word(&here, "many", "Ready").await;
    let names = ["from-here", "from-there", "inline", "over-the-map", "phi-2"];
    assert_eq!(listed(&here, "many", 8080).await, names);
    for name in names {
        completed(&here, "many", 8080, name).await;
    }
    assert_eq!(
        json!(table(&here, "many").await["args"]),
        json!(["phi-2"]),
        "a model with a file has no argument"
    );
    let pod = pod_spec(&here, "many").await;
    let init = json!(pod.init_containers.unwrap());
    assert_eq!(init.as_array().unwrap().len(), 1);
    assert_eq!(init[0]["name"], "init-configs-many");
    assert_eq!(
        init[0]["args"],
        json!(["ls /configs/engine && cp -v /configs/engine/* /models"])
    );
    let volume = json!(
        pod.volumes
            .unwrap()
            .into_iter()
            .find(|volume| volume.name == "configs")
    );
    let sources = volume["projected"]["sources"].as_array().unwrap();
    let first = &sources[0]["configMap"];
    assert_eq!(first["name"], "own-0.1");
    assert_eq!(
        first["items"],
        json!([{"key": "localai-v1-engineConfigFile", "path": "engine/own-0-1-v1.yaml"}])
    );
    let own: ConfigMap = here.api().get("many-engine-config").await.unwrap();
    assert_eq!(own.data.unwrap().len(), 3);
}

async fn until_listed(space: &Space, name: &str, wanted: &[&str]) {
    testkit::until(&format!("{name} serves {wanted:?}"), PATIENCE, async || {
        let names = listed(space, name, 8080).await;
        if names == wanted {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await
    .unwrap();
}

/// 1.7-3: what the map says after an edit is what LocalAI serves, with a file of the map's own ConfigMap and with one of
/// another namespace.
/// Promises: S4-31
#[tokio::test]
async fn an_edit_of_a_map_is_served() {
    let bed = bed().await;
    let (here, there) = (bed.space("edited").await, bed.space("elsewhere").await);
    let lists = |name: &str| json!({"localai": [{"variant": "v1", "engineConfigFile": file(name)}]});
    let reference =
        |namespace: &str| json!([{"modelMapRef": {"namespace": namespace, "name": "phi", "variant": "v1"}}]);
    here.apply(&map("phi", &lists("one"))).await;
    there.apply(&map("phi", &lists("far-one"))).await;
    here.apply(&resource("near", &spec(&reference(&here.namespace))))
        .await;
    here.apply(&resource("far", &spec(&reference(&there.namespace))))
        .await;
    until_listed(&here, "near", &["one"]).await;
    until_listed(&here, "far", &["far-one"]).await;
    here.apply(&map("phi", &lists("two"))).await;
    there.apply(&map("phi", &lists("far-two"))).await;
    until_listed(&here, "near", &["two"]).await;
    until_listed(&here, "far", &["far-two"]).await;
    completed(&here, "near", 8080, "two").await;
}
