//! Triton, also as TensorRT.

use serde_json::json;
use testkit::{FileServer, archive};

use crate::{
    bed,
    seen::{address, ask, http, map, pod_spec, port, ports, resource, service, serving, table, wait_word},
};

/// An archive of two models becomes the model repository: unpacked, loaded and served; the container is as the table says.
/// Promises: S4-13, S4-19
#[tokio::test]
async fn an_archive_is_unpacked_and_its_models_are_served() {
    let space = bed().await.space("triton").await;
    let server = FileServer::start().await.unwrap();
    let config = b"backend: \"onnxruntime\"";
    let files: &[(&str, &[u8])] = &[
        ("resnet/1/model.onnx", b"weights"),
        ("resnet/config.pbtxt", config),
        ("bert/3/model.onnx", b"weights"),
        ("bert/config.pbtxt", config),
    ];
    server.put("/real.tar.gz", archive(files, "--gzip").unwrap());
    server.redirect("/classifiers.tar.gz", "/real.tar.gz");
    let url = server.url("/classifiers.tar.gz");
    let spec = json!({
        "engine": {"name": "triton"}, "models": [{"uri": url}], "deployment": {"accelerator": {"interface": "CUDA"}},
    });
    space.apply(&resource("classifiers", &spec)).await;
    wait_word(&space, "classifiers", "Ready").await;

    let gpu = json!({"nvidia.com/gpu": "1"});
    let container = json!({
        "image": "nvcr.io/nvidia/tritonserver:24.01-py3", "imagePullPolicy": "Always",
        "args": ["tritonserver", "--model-repository=/models"],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "resources": {"requests": gpu, "limits": gpu},
        "startupProbe": http("/v2/health/ready", 8000, [0, 1, 10, 1, 30]),
        "readinessProbe": http("/v2/health/ready", 8000, [5, 1, 5, 1, 3]),
        "livenessProbe": http("/v2/health/live", 8000, [15, 25, 10, 1, 3]),
    });
    assert_eq!(table(&space, "classifiers").await, container);
    let pod = pod_spec(&space, "classifiers").await;
    assert_eq!(json!(pod.volumes), json!([{"name": "models", "emptyDir": {}}]));
    assert_eq!(pod.image_pull_secrets, None);
    let init = json!(pod.init_containers.unwrap());
    assert_eq!(init[0]["name"], "init-classifiers");
    assert_eq!(init[0]["image"], container["image"]);
    assert_eq!(
        init[0]["env"],
        json!([{"name": "MODEL_NAME", "value": "classifiers"}, {"name": "MODEL_PATH", "value": url}])
    );
    assert_eq!(ports(&space, "classifiers").await, port(8000));

    let base = format!("http://{}:8000/v2", address(&space, "classifiers").await);
    for (model, version) in [("resnet", "1"), ("bert", "3")] {
        let (code, about) = ask(&format!("{base}/models/{model}"), None).await;
        assert_eq!((code, &about["versions"]), (200, &json!([version])), "{about}");
    }
    let input = json!({"name": "x", "shape": [1], "datatype": "FP32", "data": [0.5]});
    let body = json!({"inputs": [input]});
    let (code, answer) = ask(&format!("{base}/models/resnet/infer"), Some(body)).await;
    assert_eq!((code, &answer["model_name"]), (200, &json!("resnet")), "{answer}");
}

/// `tensorrt` is the same engine; a map's `tensor_rt` list is its own. Single files become version 1 of a model named after
/// the map, also when the map's name has dots and two variants of it are served (1.7-6).
/// Promises: S4-3, S4-19, S4-31
#[tokio::test]
async fn files_of_a_map_are_models_of_their_own() {
    let space = bed().await.space("tensorrt").await;
    let server = FileServer::start().await.unwrap();
    for path in ["/a/model.plan", "/b/model.onnx"] {
        server.put(path, "weights");
    }
    let lists = json!({"tensor_rt": [
        {"variant": "a", "uri": server.url("/a/model.plan")},
        {"variant": "b", "uri": server.url("/b/model.onnx")},
    ]});
    let entry = |variant: &str| json!({"modelMapRef": {"name": "resnet-0.1", "variant": variant}});
    let spec = json!({
        "engine": {"name": "tensorrt"}, "models": [entry("a"), entry("b")],
        "deployment": {"accelerator": {"interface": "CUDA"}},
    });
    space
        .apply(&(map("resnet-0.1", &lists) + &resource("two", &spec)))
        .await;
    wait_word(&space, "two", "Ready").await;
    let init = json!(pod_spec(&space, "two").await.init_containers.unwrap());
    assert_eq!(
        (&init[0]["name"], &init[1]["name"]),
        (&json!("init-resnet-0-1"), &json!("init-resnet-0-1-2"))
    );
    let base = format!("http://{}:8000/v2", address(&space, "two").await);
    for model in ["resnet-0.1", "resnet-0-1-b"] {
        let (code, about) = ask(&format!("{base}/models/{model}"), None).await;
        assert_eq!(code, 200, "{model}: {about}");
    }
    let labels = service(&space, "two").await.metadata.labels.unwrap();
    assert_eq!(labels["app.kubernetes.io/name"], "triton");
    let image = serving(&space, "two").await.image;
    assert_eq!(image.as_deref(), Some("nvcr.io/nvidia/tritonserver:24.01-py3"));
}
