//! What all engines have in common: options, arguments, changes to probes, GPUs.

use serde_json::{Value, json};

use crate::{
    bed,
    common::Space,
    seen::{pod_spec, resource, serving},
};

/// One of each engine, with nothing said but what it needs.
fn each() -> [(&'static str, Value); 5] {
    let container = json!({"name": "x", "image": "your-registry/gpt-small:v1", "args": ["--port", "8000"]});
    let model = json!([{"uri": "phi-2"}]);
    [
        ("localai", json!({"engine": {"name": "localai"}, "models": model})),
        ("vllm", json!({"engine": {"name": "vllm"}, "models": model})),
        (
            "deepspeed-mii",
            json!({"engine": {"name": "deepspeed-mii"}, "models": model}),
        ),
        (
            "triton",
            json!({"engine": {"name": "triton"}, "models": [{"uri": "http://h/model.plan"}]}),
        ),
        (
            "generic",
            json!({"engine": {"name": "generic"}, "deployment": {"template": {"spec": {"containers": [container]}}}}),
        ),
    ]
}

/// Applies each engine with `more` in its spec, without Pods.
async fn apply_each(space: &Space, more: &dyn Fn(&mut Value)) {
    let mut yaml = String::new();
    for (name, mut spec) in each() {
        spec["deployment"]["replicas"] = json!(0);
        more(&mut spec);
        yaml.push_str(&resource(name, &spec));
    }
    space.apply(&yaml).await;
}

/// Promises: S4-16, S4-27
#[tokio::test]
async fn options_name_the_image_and_arguments_come_last() {
    let space = bed().await.space("options").await;
    apply_each(&space, &|spec| {
        spec["engine"]["options"] =
            json!({"imageTag": "v1.2", "imageRepository": "mirror.example.com/x/engine"});
        spec["args"] = json!(["--last", "word"]);
    })
    .await;
    for (name, _) in each() {
        let container = serving(&space, name).await;
        let image = if name == "generic" {
            "your-registry/gpt-small:v1"
        } else {
            "mirror.example.com/x/engine:v1.2"
        };
        assert_eq!(container.image.as_deref(), Some(image), "{name}");
        let args = container.args.unwrap();
        assert!(
            args.len() > 2 && args.ends_with(&["--last".into(), "word".into()]),
            "{name}: {args:?}"
        );
    }
    // Init containers run the engine's image too.
    let init = pod_spec(&space, "triton").await.init_containers.unwrap();
    assert_eq!(init[0].image.as_deref(), Some("mirror.example.com/x/engine:v1.2"));

    let tag = json!({"engine": {"name": "localai", "options": {"imageTag": "v2.15.0-ffmpeg-core"}},
        "deployment": {"replicas": 0}});
    space.apply(&resource("tagged", &tag)).await;
    let image = serving(&space, "tagged").await.image;
    assert_eq!(
        image.as_deref(),
        Some("quay.io/go-skynet/local-ai:v2.15.0-ffmpeg-core")
    );
}

/// Numbers that are not 0 win over the engine's, an initial delay of 0 too; all else of the probe stays.
/// Promises: S4-14
#[tokio::test]
async fn changes_to_probes_merge_field_by_field() {
    let space = bed().await.space("probes").await;
    let before = bed().await.space("before").await;
    apply_each(&before, &|_| {}).await;
    let change = json!({
        "initialDelaySeconds": 0, "timeoutSeconds": 0, "periodSeconds": 7, "successThreshold": 0,
        "failureThreshold": 300, "terminationGracePeriodSeconds": 9,
    });
    let readiness = json!({"initialDelaySeconds": 4, "successThreshold": 2, "timeoutSeconds": 6});
    apply_each(&space, &|spec| {
        spec["deployment"]["startupProbe"] = change.clone();
        spec["deployment"]["readinessProbe"] = readiness.clone();
    })
    .await;
    for (name, _) in each().into_iter().filter(|(name, _)| *name != "generic") {
        let (was, is) = (
            json!(serving(&before, name).await),
            json!(serving(&space, name).await),
        );
        let mut expected = was.clone();
        let startup = &mut expected["startupProbe"];
        for (field, value) in [
            ("initialDelaySeconds", 0),
            ("periodSeconds", 7),
            ("failureThreshold", 300),
            ("terminationGracePeriodSeconds", 9),
        ] {
            startup[field] = json!(value);
        }
        if is["startupProbe"].get("initialDelaySeconds").is_none() {
            startup.as_object_mut().unwrap().remove("initialDelaySeconds");
        }
        for (field, value) in readiness.as_object().unwrap() {
            expected["readinessProbe"][field] = value.clone();
        }
        assert_eq!(is, expected, "{name}");
        assert_ne!(was["startupProbe"], is["startupProbe"], "{name}");
    }
}

/// One GPU by default, else as many as are requested or limited; requests and limits are the same; the runtime class is
/// NVIDIA's unless the template has another.
/// Promises: S4-15
#[tokio::test]
async fn gpus_follow_the_accelerator() {
    let space = bed().await.space("gpus").await;
    let cuda = json!({"interface": "CUDA", "minVersion": {"major": 7, "minor": 5}});
    let cases = [
        ("default", json!({"accelerator": cuda}), Some("1"), Some("nvidia")),
        (
            "requests",
            json!({"accelerator": cuda, "resources": {"requests": {"nvidia.com/gpu": 3, "cpu": 8}}}),
            Some("3"),
            Some("nvidia"),
        ),
        (
            "limits",
            json!({"accelerator": cuda, "resources": {"limits": {"nvidia.com/gpu": "2"}}}),
            Some("2"),
            Some("nvidia"),
        ),
        (
            "class",
            json!({"accelerator": cuda, "template": {"spec": {"runtimeClassName": "kata", "containers": []}}}),
            Some("1"),
            Some("kata"),
        ),
        (
            "without",
            json!({"resources": {"requests": {"cpu": 1}}}),
            None,
            None,
        ),
    ];
    let mut yaml = String::new();
    for (name, deployment, ..) in &cases {
        let mut deployment = deployment.clone();
        deployment["replicas"] = json!(0);
        yaml.push_str(&resource(
            name,
            &json!({"engine": {"name": "localai"}, "models": [{"uri": "phi-2"}], "deployment": deployment}),
        ));
    }
    space.apply(&yaml).await;
    for (name, _, count, class) in cases {
        let pod = json!(pod_spec(&space, name).await);
        let resources = json!(serving(&space, name).await.resources);
        for side in ["requests", "limits"] {
            let found = resources[side]["nvidia.com/gpu"].as_str();
            assert_eq!(found, count, "{name}: {side}");
        }
        assert_eq!(pod["runtimeClassName"].as_str(), class, "{name}");
    }
    let resources = json!(serving(&space, "requests").await.resources);
    assert_eq!(resources["requests"]["cpu"], "8");

    // The same for every engine.
    let more = json!({"accelerator": cuda, "resources": {"requests": {"nvidia.com/gpu": 3}}});
    apply_each(&space, &|spec| {
        for (field, value) in more.as_object().unwrap() {
            spec["deployment"][field] = value.clone();
        }
    })
    .await;
    for (name, _) in each() {
        let three = json!({"nvidia.com/gpu": "3"});
        let resources = json!(serving(&space, name).await.resources);
        assert_eq!(resources, json!({"requests": three, "limits": three}), "{name}");
        let class = pod_spec(&space, name).await.runtime_class_name;
        assert_eq!(class.as_deref(), Some("nvidia"), "{name}");
    }
}
