//! prem-operator's engines: what becomes of each, compared with its table of engines.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;

use api::shared::Engine;
use common::{plan, request};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use serde_json::{Value, json};
use serving::{
    ServingPlan, build,
    engine::prem::{PremEngine, PremModel, PremRequest, PremSource, ProbeOverride, ProbeOverrides},
    gpu::GpuRequest,
    plan::Workload,
    request::{Additions, EngineRequest, PodForm, ServingRequest},
};

fn prem(engine: PremEngine, image: &str, port: u16, additions: Additions) -> ServingRequest {
    let mut request = request(Engine::Generic, image);
    request.identity.kind = "AIDeployment".into();
    request.identity.group = "premlabs.io".into();
    request.form = PodForm::Prem(additions);
    request.service.port = port;
    request.engine = EngineRequest::Prem(Box::new(PremRequest {
        engine,
        probes: ProbeOverrides::default(),
    }));
    request
}

fn template(request: ServingRequest) -> PodTemplateSpec {
    build(&plan(request)).deployment.unwrap().spec.unwrap().template
}

fn spec(request: ServingRequest) -> PodSpec {
    template(request).spec.unwrap()
}

fn model(name: &str, uri: &str) -> PremModel {
    PremModel {
        name: name.into(),
        host_name: format!("{name}-base"),
        source: PremSource::Uri(uri.into()),
    }
}

fn local_ai(models: Vec<PremModel>, additions: Additions) -> ServingRequest {
    let engine = PremEngine::LocalAi { models };
    prem(engine, "quay.io/go-skynet/local-ai:latest", 8080, additions)
}

fn triton(models: Vec<PremModel>, additions: Additions) -> ServingRequest {
    let engine = PremEngine::Triton { models };
    prem(engine, "nvcr.io/nvidia/tritonserver:24.01-py3", 8000, additions)
}

fn vllm(additions: Additions) -> ServingRequest {
    let engine = PremEngine::Vllm {
        uri: "microsoft/phi-2".into(),
        dtype: Some("float16".into()),
        quantization: Some("awq".into()),
    };
    prem(engine, "vllm/vllm-openai:latest", 8000, additions)
}

fn generic(container: Value, ports: &[u16], additions: Additions) -> ServingRequest {
    let container: Container = serde_json::from_value(container).unwrap();
    let image = container.image.clone().unwrap();
    let engine = PremEngine::Generic {
        container: Box::new(container),
        ports: ports.to_vec(),
    };
    prem(engine, &image, ports.first().copied().unwrap_or(8000), additions)
}

fn http(path: &str, port: u16, more: &Value) -> Value {
    let mut probe = json!({"httpGet": {"path": path, "port": port}});
    for (key, value) in more.as_object().unwrap() {
        probe[key] = value.clone();
    }
    probe
}

/// Nothing of ours, so that Pods which prem-operator made keep running.
#[test]
fn local_ai_without_additions() {
    let mut wish = local_ai(vec![model("tiny", "tinyllama-chat")], Additions::Nothing);
    wish.container.env = vec![serde_json::from_value(json!({"name": "DEBUG", "value": "true"})).unwrap()];
    wish.container.requests = [("cpu".to_owned(), "8".parse().unwrap())].into();
    let expected = json!({
        "metadata": {"labels": {"mlcontroller.premlabs.io/ai-deployment": "chat-service"}},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "serving", "image": "quay.io/go-skynet/local-ai:latest", "imagePullPolicy": "Always",
                "args": ["tinyllama-chat"],
                "env": [{"name": "DEBUG", "value": "true"}, {"name": "MODELS_PATH", "value": "/models"}],
                "resources": {"requests": {"cpu": "8"}},
                "volumeMounts": [{"name": "models", "mountPath": "/models"}],
                "startupProbe": http("/readyz", 8080, &json!({"initialDelaySeconds": 1, "periodSeconds": 10, "failureThreshold": 120})),
                "readinessProbe": http("/healthz", 8080, &json!({"failureThreshold": 3})),
                "livenessProbe": http("/healthz", 8080, &json!({"periodSeconds": 30, "timeoutSeconds": 15, "failureThreshold": 10})),
            }],
            "volumes": [{"name": "models", "emptyDir": {"medium": "Memory"}}, {"name": "cache", "emptyDir": {}}],
        },
    });
    assert_eq!(json!(template(wish)), expected);
}

#[test]
fn vllm_without_additions() {
    let expected = json!({
        "automountServiceAccountToken": false,
        "containers": [{
            "name": "serving", "image": "vllm/vllm-openai:latest", "imagePullPolicy": "Always",
            "args": ["--model", "microsoft/phi-2", "--dtype", "float16", "--quantization", "awq"],
            "volumeMounts": [{"name": "models", "mountPath": "/root/.cache/huggingface"}],
            "startupProbe": http("/health", 8000, &json!({"initialDelaySeconds": 3, "periodSeconds": 1, "failureThreshold": 120})),
            "readinessProbe": http("/health", 8000, &json!({"failureThreshold": 3})),
            "livenessProbe": http("/health", 8000, &json!({"periodSeconds": 30, "timeoutSeconds": 15, "failureThreshold": 10})),
        }],
        "volumes": [{"name": "models", "emptyDir": {}}],
    });
    assert_eq!(json!(spec(vllm(Additions::Nothing))), expected);
}

#[test]
fn deepspeed_mii_without_additions() {
    let engine = PremEngine::DeepspeedMii {
        uri: "microsoft/phi-2".into(),
    };
    let wish = prem(engine, "premai/deepspeed-mii:latest", 8080, Additions::Nothing);
    let expected = json!({
        "automountServiceAccountToken": false,
        "imagePullSecrets": [{"name": "regcred-dockerhub"}],
        "containers": [{
            "name": "serving", "image": "premai/deepspeed-mii:latest", "imagePullPolicy": "Always",
            "args": ["--uri", "microsoft/phi-2"],
            "startupProbe": {"tcpSocket": {"port": 50051}, "initialDelaySeconds": 30, "periodSeconds": 5, "failureThreshold": 120},
            "readinessProbe": http("/healthz", 8080, &json!({"failureThreshold": 3})),
            "livenessProbe": http("/healthz", 8080, &json!({"periodSeconds": 30, "timeoutSeconds": 15, "failureThreshold": 10})),
        }],
    });
    assert_eq!(json!(spec(wish)), expected);
}

#[test]
fn triton_without_additions() {
    let url = "http://h/model.onnx";
    let expected = json!({
        "automountServiceAccountToken": false,
        "initContainers": [{
            "name": "init-resnet", "image": "nvcr.io/nvidia/tritonserver:24.01-py3", "imagePullPolicy": "Always",
            "command": ["sh", "-c"],
            "args": ["curl --create-dirs -O --output-dir /models/$MODEL_NAME/1 $MODEL_PATH"],
            "env": [{"name": "MODEL_NAME", "value": "resnet"}, {"name": "MODEL_PATH", "value": url}],
            "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        }],
        "containers": [{
            "name": "serving", "image": "nvcr.io/nvidia/tritonserver:24.01-py3", "imagePullPolicy": "Always",
            "args": ["tritonserver", "--model-repository=/models"],
            "volumeMounts": [{"name": "models", "mountPath": "/models"}],
            "startupProbe": http("/v2/health/ready", 8000, &json!({"periodSeconds": 10, "failureThreshold": 30})),
            "readinessProbe": http("/v2/health/ready", 8000, &json!({"initialDelaySeconds": 5, "periodSeconds": 5, "failureThreshold": 3})),
            "livenessProbe": http("/v2/health/live", 8000,
                &json!({"initialDelaySeconds": 15, "periodSeconds": 10, "timeoutSeconds": 25, "failureThreshold": 3})),
        }],
        "volumes": [{"name": "models", "emptyDir": {}}],
    });
    assert_eq!(
        json!(spec(triton(vec![model("resnet", url)], Additions::Nothing))),
        expected
    );
}

#[test]
fn generic_keeps_its_container() {
    let container = json!({
        "name": "x", "image": "oven/bun:alpine", "args": ["-p", "8080"], "workingDir": "/w", "imagePullPolicy": "IfNotPresent",
        "volumeMounts": [{"name": "script", "mountPath": "/home/bun/app"}],
        "readinessProbe": http("/healthz", 8080, &json!({"failureThreshold": 3})),
        "resources": {"claims": [{"name": "c"}]},
    });
    let mut expected = container.clone();
    expected["name"] = json!("serving");
    expected["args"] = json!(["-p", "8080", "./index.js"]);
    expected["ports"] =
        json!([{"containerPort": 8080, "protocol": "TCP"}, {"containerPort": 9090, "protocol": "TCP"}]);
    expected["env"] = json!([{"name": "A", "value": "b"}]);
    let mut wish = generic(container, &[8080, 9090], Additions::Nothing);
    wish.container.args = vec!["./index.js".into()];
    wish.container.env = vec![serde_json::from_value(json!({"name": "A", "value": "b"})).unwrap()];
    let sidecar = json!({"name": "side", "image": "i"});
    wish.pod.template.after = vec![serde_json::from_value(sidecar.clone()).unwrap()];
    let policy = build(&plan(wish.clone())).network_policy;
    let spec = json!(spec(wish));
    assert_eq!(spec["containers"], json!([expected, sidecar]));
    let ingress = policy.spec.unwrap().ingress.unwrap();
    assert_eq!(ingress[0].ports, None, "nobody knows where the sidecar listens");
}

/// What is added to new Pods changes nothing that the engine's table says.
#[test]
fn additions_only_add() {
    let request = |additions| {
        let mut request = vllm(additions);
        request.gpu = Some(GpuRequest {
            count: 2,
            resource: "nvidia.com/gpu".into(),
            product: None,
            min_memory: None,
        });
        let two: BTreeMap<_, _> = [("nvidia.com/gpu".to_owned(), "2".parse().unwrap())].into();
        (request.container.requests, request.container.limits) = (two.clone(), two);
        request
    };
    let (bare, full) = (
        json!(spec(request(Additions::Nothing))),
        json!(spec(request(Additions::All))),
    );
    let mut stripped = full.clone();
    let container = stripped["containers"][0].as_object_mut().unwrap();
    assert_eq!(
        container.remove("securityContext"),
        Some(json!({"allowPrivilegeEscalation": false}))
    );
    assert_eq!(
        container.remove("lifecycle"),
        Some(json!({"preStop": {"sleep": {"seconds": 5}}}))
    );
    assert!(container.remove("terminationMessagePolicy").is_some());
    let pod = stripped.as_object_mut().unwrap();
    assert_eq!(
        pod.remove("securityContext"),
        Some(json!({"seccompProfile": {"type": "RuntimeDefault"}}))
    );
    assert_eq!(
        pod.remove("tolerations"),
        Some(json!([{"key": "nvidia.com/gpu", "operator": "Exists"}]))
    );
    assert_eq!(stripped, bare);
}

/// A person who gives a large model half an hour is not told after twenty minutes that the rollout failed.
#[test]
fn a_rollout_lasts_as_long_as_the_startup_probe() {
    let deadline = |failure_threshold| {
        let mut request = local_ai(Vec::new(), Additions::All);
        if let EngineRequest::Prem(prem) = &mut request.engine {
            prem.probes.startup = Some(ProbeOverride {
                failure_threshold,
                ..ProbeOverride::default()
            });
        }
        let Workload::Deployment(deployment) = plan(request).workload else {
            panic!("a Deployment");
        };
        deployment.progress_deadline_seconds
    };
    // Ten minutes to get a node and an image, one second and so many times ten to load.
    assert_eq!(deadline(None), 600 + 1 + 120 * 10);
    assert_eq!(deadline(Some(300)), 600 + 1 + 300 * 10);
    assert_eq!(deadline(Some(i32::MAX)), i32::MAX);
}

/// Regression of prem-operator's bug 6: names of init containers came twice, or were no names.
#[test]
fn many_downloads_have_names_and_files_of_their_own() {
    let models = vec![
        model("Tiny-v0.1", "http://h/a"),
        model("Tiny-v0.1", "http://h/b"),
        model("Tiny-v0.1", "http://h/c"),
    ];
    for (request, names) in [
        (
            local_ai(models.clone(), Additions::All),
            [
                "init-models-chat-service",
                "init-models-chat-service-2",
                "init-models-chat-service-3",
            ],
        ),
        (
            triton(models, Additions::All),
            ["init-tiny-v0-1", "init-tiny-v0-1-2", "init-tiny-v0-1-3"],
        ),
    ] {
        let init = spec(request).init_containers.unwrap();
        let found: Vec<&str> = init.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(found, names);
        let files: Vec<_> = init
            .iter()
            .map(|one| one.env.as_ref().unwrap()[0].value.clone().unwrap())
            .collect();
        assert_eq!(files, ["Tiny-v0.1", "Tiny-v0.1-base", "Tiny-v0.1-base-2"]);
    }
}

/// Regression of prem-operator's bug 3: an edit of a model map changed nothing.
#[test]
fn a_configuration_file_is_mounted_and_its_content_replaces_pods() {
    let with = |content: &str, additions| {
        local_ai(
            vec![PremModel {
                source: PremSource::File {
                    config_map: "distilroberta".into(),
                    key: "localai-base-engineConfigFile".into(),
                    content: content.into(),
                },
                ..model("distilroberta", "")
            }],
            additions,
        )
    };
    let contents = ["name: bert", "name: other"];
    let [one, two] = contents.map(|content| template(with(content, Additions::All)));
    assert_ne!(one.metadata, two.metadata);
    let bare = template(with(contents[0], Additions::Nothing));
    assert_eq!(
        bare.metadata.unwrap().annotations,
        None,
        "as prem-operator made them"
    );
    // Pods that prem-operator made go on until the file changes.
    let [one, two] = contents.map(|content| {
        build(&plan(with(content, Additions::All)))
            .deployment_as_found
            .unwrap()
    });
    assert_eq!(one.deployment, two.deployment);
    assert_ne!(one.pods, two.pods);
    let spec = json!(bare.spec);
    assert_eq!(
        spec["volumes"][2],
        json!({"name": "configs", "projected": {"sources": [{"configMap": {"name": "distilroberta",
            "items": [{"key": "localai-base-engineConfigFile", "path": "engine/distilroberta-base.yaml"}]}}]}})
    );
    let init = &spec["initContainers"][0];
    assert_eq!(init["name"], "init-configs-chat-service");
    assert_eq!(
        init["args"],
        json!(["ls /configs/engine && cp -v /configs/engine/* /models"])
    );
    assert_eq!(
        init["volumeMounts"],
        json!([{"name": "configs", "mountPath": "/configs"}, {"name": "models", "mountPath": "/models"}])
    );
}

/// Regression of prem-operator's bug 9: a person's label could replace the one by which Pods are found.
#[test]
fn the_selector_cannot_be_overwritten() {
    let mut request = vllm(Additions::All);
    let key = "mlcontroller.premlabs.io/ai-deployment";
    request.pod.labels = [(key.to_owned(), "other".to_owned())].into();
    let errors = ServingPlan::new(request.clone()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].path, "podLabels");
    request.pod.labels = [
        (key.to_owned(), "chat-service".to_owned()),
        ("team".to_owned(), "a".to_owned()),
    ]
    .into();
    let children = build(&plan(request));
    let only = json!({key: "chat-service"});
    assert_eq!(json!(children.service.unwrap().spec.unwrap().selector), only);
    assert_eq!(
        json!(children.deployment.unwrap().spec.unwrap().selector),
        json!({"matchLabels": only})
    );
}

/// What a template says that means something else to us than to prem-operator changes only Pods of our own making.
#[test]
fn pods_as_found_are_as_the_template_says() {
    let mut request = vllm(Additions::All);
    let constraint = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"});
    request.pod.topology_spread = vec![serde_json::from_value(constraint.clone()).unwrap()];
    request.pod.template.metadata.name = Some("named".into());
    let found = build(&plan(request.clone()))
        .deployment_as_found
        .unwrap()
        .deployment;
    let found = json!(found.spec.unwrap().template);
    assert_eq!(found["metadata"]["name"], "named");
    assert_eq!(found["spec"]["topologySpreadConstraints"], json!([constraint]));
    let ours = json!(spec(request));
    assert_ne!(ours["topologySpreadConstraints"][0]["labelSelector"], Value::Null);
}

/// A name of a model is an argument as it stands: variables in it are replaced, as prem-operator's users may count on.
#[test]
fn variables_in_a_models_name_are_replaced() {
    let name = "org/$(MODEL)";
    let mii = prem(
        PremEngine::DeepspeedMii { uri: name.into() },
        "i",
        8080,
        Additions::All,
    );
    for request in [local_ai(vec![model("a", name)], Additions::All), mii] {
        assert!(
            spec(request).containers[0]
                .args
                .as_ref()
                .unwrap()
                .contains(&name.to_owned())
        );
    }
}

#[test]
fn the_service_leads_to_the_number_of_the_port() {
    let children = build(&plan(vllm(Additions::All)));
    let ports = json!(children.service.unwrap().spec.unwrap().ports);
    assert_eq!(
        ports,
        json!([{"port": 8000, "targetPort": 8000, "protocol": "TCP"}])
    );
    let policy = json!(children.network_policy.spec.unwrap().ingress);
    assert_eq!(policy[0]["ports"], json!([{"port": 8000, "protocol": "TCP"}]));
}

/// Triton downloads or refuses.
#[test]
fn triton_needs_urls() {
    let errors = ServingPlan::new(triton(vec![model("a", "org/model")], Additions::All)).unwrap_err();
    assert_eq!(errors[0].path, "models[0].uri");
}
