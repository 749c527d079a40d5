//! What is wrong with an `AIDeployment`, and the words that say so.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{
    bed,
    seen::{map, resource, wait_error, wait_word},
};

/// Name of the resource, its spec, words of the message.
type Mistake = (&'static str, Value, &'static str);

fn with(engine: &str, more: &Value) -> Value {
    let mut spec = json!({"engine": {"name": engine}});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn of_engines() -> Vec<Mistake> {
    let vllm = |options: Value, model: Value| json!({"engine": {"name": "vllm", "options": options}, "models": [model]});
    let container = |container: Value| {
        with(
            "generic",
            &json!({"deployment": {"template": {"spec": {"containers": [container]}}}}),
        )
    };
    let env = json!({"name": "a", "image": "i", "env": [{"name": "A", "value": "b"}]});
    let ports = json!({"name": "a", "image": "i", "ports": [{"containerPort": 1}]});
    let no_containers = json!({"deployment": {"template": {"spec": {"containers": []}}}});
    vec![
        (
            "engine-unknown",
            with("llamafile", &json!({})),
            "unknown engine llamafile",
        ),
        (
            "engine-none",
            json!({"models": [{"uri": "a"}]}),
            "no engine is named",
        ),
        (
            "dtype",
            vllm(json!({"dtype": "float-16"}), json!({"uri": "a"})),
            "dtype must be alphanumeric",
        ),
        (
            "dtype-model",
            vllm(json!({}), json!({"uri": "a", "dataType": "f 16"})),
            "dtype must be alphanumeric",
        ),
        (
            "quantization",
            vllm(json!({"quantization": "awq;rm"}), json!({"uri": "a"})),
            "quantization must be alphanumeric",
        ),
        (
            "template-none",
            with("generic", &json!({})),
            "engine generic requires a pod template",
        ),
        (
            "template-empty",
            with("generic", &no_containers),
            "engine generic requires a pod template",
        ),
        (
            "generic-env",
            container(env),
            "Specify env vars for the first container in spec.env",
        ),
        (
            "generic-ports",
            container(ports),
            "Specify ports in spec.endpoint",
        ),
    ]
}

fn of_models() -> Vec<Mistake> {
    let of =
        |name: &str, variant: &str| json!({"models": [{"modelMapRef": {"name": name, "variant": variant}}]});
    let two = json!({"models": [{"uri": "a"}, {"uri": "b"}]});
    let uri = |uri: &str| json!({"models": [{"uri": uri}]});
    vec![
        (
            "name-empty",
            with("vllm", &of("", "v")),
            "modelMapRef with no name",
        ),
        (
            "variant-empty",
            with("vllm", &of("phi", "")),
            "modelMapRef with no variant",
        ),
        (
            "map-missing",
            with("vllm", &of("none", "v")),
            "AIModelMap none does not exist",
        ),
        (
            "variant-missing",
            with("vllm", &of("phi", "w")),
            "no model variant w for vllm",
        ),
        (
            "variant-other",
            with("deepspeed-mii", &of("phi", "v")),
            "no model variant v for deepspeed-mii",
        ),
        (
            "variant-trt",
            with("triton", &of("phi", "v")),
            "no model variant v for triton",
        ),
        (
            "generic-ref",
            with("generic", &of("phi", "v")),
            "Can't specify a model with generic engine",
        ),
        ("vllm-none", with("vllm", &json!({})), "models not specified"),
        (
            "mii-none",
            with("deepspeed-mii", &json!({"models": []})),
            "models not specified",
        ),
        ("vllm-two", with("vllm", &two), "only one model can be specified"),
        (
            "mii-two",
            with("deepspeed-mii", &two),
            "only one model can be specified",
        ),
        (
            "triton-uri",
            with("triton", &uri("org/model")),
            "invalid model URI, requires valid model url with \"http\"",
        ),
        (
            "uri-empty",
            with("localai", &json!({"models": [{"quantization": "awq"}]})),
            "models[0].uri",
        ),
        ("uri-shell", with("localai", &uri("http://h/a b")), "is no URL"),
    ]
}

fn of_resources() -> Vec<Mistake> {
    let of = |deployment: Value| with("localai", &json!({"deployment": deployment}));
    let interface = |name: &str| of(json!({"accelerator": {"interface": name}}));
    let gpu = |count: &str| json!({"requests": {"nvidia.com/gpu": count}});
    vec![
        (
            "gpu-alone",
            of(json!({"resources": gpu("1")})),
            "deployment requests Nvidia GPU but no accelerator is specified",
        ),
        (
            "gpu-part",
            of(json!({"accelerator": {"interface": "CUDA"}, "resources": gpu("500m")})),
            "is no number of GPUs",
        ),
        (
            "rocm",
            interface("ROCm"),
            "unsupported accelerator interface: ROCm",
        ),
        (
            "opencl",
            interface("OpenCL"),
            "unsupported accelerator interface: OpenCL",
        ),
    ]
}

/// Every mistake is stored, told in `errMsg` with the word Failed, and nothing is made of it; when it is put right, the
/// word and the message go.
/// Promises: S4-15, S4-16, S4-17, S4-20, S4-25
#[tokio::test]
async fn every_mistake_is_told_and_forgotten() {
    let space = bed().await.space("mistakes").await;
    let mistakes = [of_engines(), of_models(), of_resources()].concat();
    let mut yaml = map("phi", &json!({"vllm": [{"variant": "v", "uri": "a/b"}]}));
    for (name, spec, _) in &mistakes {
        yaml.push_str(&resource(name, spec));
    }
    space.apply(&yaml).await;
    for (name, _, words) in &mistakes {
        let status = wait_error(&space, name, words).await;
        assert_eq!(status.status.as_deref(), Some("Failed"), "{name}");
        let accepted = status.conditions.iter().find(|one| one.type_ == "Accepted");
        assert_eq!(accepted.unwrap().status, "False", "{name}");
    }
    let made = space
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let names: Vec<_> = made.items.iter().map(|one| one.metadata.name.clone()).collect();
    assert!(names.is_empty(), "{names:?}");

    let right = json!({"engine": {"name": "localai"}, "models": [{"uri": "phi-2"}], "deployment": null});
    space.apply(&resource("gpu-alone", &right)).await;
    let status = wait_word(&space, "gpu-alone", "Ready").await;
    assert_eq!(status.err_msg, None);
}
