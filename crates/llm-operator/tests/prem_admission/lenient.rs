//! What prem-operator's definitions take is taken here as well, also where the controller will find fault with it:
//! the fault is told in `status.errMsg` and in a condition, as the original does.

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use serde_json::{Value, json};

use crate::desk::{all_accepted, apply, client, create, file, kubectl};

#[tokio::test]
async fn deployments() {
    let generic =
        |template: Value| json!({"engine": {"name": "generic"}, "deployment": {"template": template}});
    all_accepted(
        "AIDeployment",
        vec![
            ("no engine", json!({})),
            ("an unknown engine", json!({"engine": {"name": "tgi"}})),
            ("an unknown option", json!({"engine": {"name": "vllm", "options": {"colour": "blue"}}})),
            ("another accelerator", json!({"deployment": {"accelerator": {"interface": "ROCm"}}})),
            ("an unknown data type", json!({"models": [{"uri": "a/b", "dataType": "int3", "quantization": "x y"}]})),
            ("a model without anything", json!({"models": [{}]})),
            ("empty names", json!({"models": [{"modelMapRef": {"name": "", "variant": ""}}]})),
            ("no host", json!({"endpoint": [{"domain": ""}]})),
            ("the same host twice", json!({"endpoint": [{"domain": "a"}, {"domain": "a"}]})),
            ("a port that LocalAI ignores", json!({"engine": {"name": "localai"}, "endpoint": [{"domain": "a", "port": 70000}]})),
            ("port 0", json!({"engine": {"name": "generic"}, "endpoint": [{"domain": "a", "port": 0}]})),
            ("no replicas", json!({"deployment": {"replicas": 0}})),
            ("one variable twice", json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})),
            ("claims", json!({"deployment": {"resources": {"claims": [{"name": "gpu"}]}}})),
            ("the selector's label", json!({"deployment": {"labels": {"mlcontroller.premlabs.io/ai-deployment": "x"}}})),
            ("an empty template", generic(json!({}))),
            ("a template without containers", generic(json!({"spec": {"containers": []}}))),
            ("a volume alone", generic(json!({"spec": {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": 1_000_000}}]}}))),
            ("pull secrets twice", generic(json!({"spec": {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}}))),
            ("ports by protocol", generic(json!({"spec": {"containers": [{"name": "a", "ports": [
                {"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]}]}}))),
            ("a probe's port by name", generic(json!({"spec": {"containers": [{"name": "a", "livenessProbe": {"httpGet": {"port": "http"}}}]}}))),
            ("what kubectl prints for a new template", generic(json!({"metadata": {"creationTimestamp": null, "labels": {"app": "a"}},
                "spec": {"containers": [{"name": "a", "resources": {}}]}}))),
        ],
    )
    .await;
}

#[tokio::test]
async fn maps() {
    all_accepted(
        "AIModelMap",
        vec![
            ("nothing", json!({})),
            ("empty lists", json!({"localai": [], "tensor_rt": null})),
            (
                "one variant twice",
                json!({"vllm": [{"variant": "a"}, {"variant": "a"}]}),
            ),
            (
                "an unknown quantization",
                json!({"vllm": [{"variant": "a", "quantization": "fp6", "dataType": "tf32"}]}),
            ),
            ("no uri", json!({"deepspeed-mii": [{"variant": "a"}]})),
            ("no namespaces", json!({"allowedNamespaces": []})),
        ],
    )
    .await;
}

/// Names that no Service or label can have are the controller's to explain.
#[tokio::test]
async fn names() {
    let client = client().await;
    let long = "a".repeat(200);
    for name in ["llama-3.1", "0-starts-with-a-digit", &long] {
        for kind in ["AIDeployment", "AIModelMap"] {
            create(&client, kind, name, &json!({}))
                .await
                .unwrap_or_else(|status| panic!("{name}: {}", status.message));
        }
    }
}

/// A resource without a spec is one with an empty spec; the types read it.
#[tokio::test]
async fn no_spec_at_all() {
    let bare = |kind: &str, spec: &str| {
        format!("apiVersion: premlabs.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: bare\n{spec}")
    };
    for spec in ["", "spec:\n", "spec: {}\n"] {
        for kind in ["AIDeployment", "AIModelMap"] {
            let path = file(&format!("bare-{kind}-{}.yaml", spec.len()), &bare(kind, spec));
            for verb in [&["create"][..], &["apply"], &["apply", "--server-side"]] {
                let mut args = verb.to_vec();
                args.extend(["--dry-run=server", "-o", "json", "-f", &path]);
                let stored = kubectl(&args).await;
                match kind {
                    "AIDeployment" => drop(serde_json::from_str::<AIDeployment>(&stored).unwrap()),
                    _ => drop(serde_json::from_str::<AIModelMap>(&stored).unwrap()),
                }
            }
        }
    }
}

/// Every optional field of every depth may be null: by create and by server-side apply, and the types read it.
#[tokio::test]
async fn any_block_may_be_empty() {
    let client = client().await;
    for kind in ["AIDeployment", "AIModelMap"] {
        let crd = api::crds()
            .into_iter()
            .find(|crd| crd.spec.names.kind == kind)
            .unwrap();
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut places = Vec::new();
        optional_places(schema, &mut Vec::new(), &mut places);
        assert!(places.len() > 15, "{kind}: {places:?}");
        for place in places {
            let spec = null_at(schema, &place);
            if place == ["deployment", "replicas"] {
                // `/scale` reads it as a number; server-side apply of a null here is refused, as it is by the original.
                create(&client, kind, "created-null", &spec).await.unwrap();
                continue;
            }
            let created = create(&client, kind, "created-null", &spec).await;
            let applied = apply(&client, "a-person", kind, "applied-null", &spec).await;
            for stored in [created, applied] {
                let stored = stored.unwrap_or_else(|status| panic!("{spec}: {}", status.message));
                match kind {
                    "AIDeployment" => drop(stored.try_parse::<AIDeployment>().unwrap()),
                    _ => drop(stored.try_parse::<AIModelMap>().unwrap()),
                }
            }
        }
    }
}

/// The path of every optional field; `*` is the item of a list. Templates are JSON to us: one level of them is enough.
fn optional_places(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if path.len() > 5 {
        return;
    }
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        let required = schema["required"]
            .as_array()
            .is_some_and(|all| all.contains(&json!(name)));
        if !required {
            found.push(path.clone());
        }
        optional_places(child, path, found);
        if child["items"].is_object() {
            path.push("*".to_owned());
            optional_places(&child["items"], path, found);
            path.pop();
        }
        path.pop();
    }
}

/// The smallest value of this schema whose field at `path` is null.
fn null_at(schema: &Value, path: &[String]) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return Value::Null;
    };
    if first == "*" {
        return json!([null_at(&schema["items"], rest)]);
    }
    let mut object = smallest(schema);
    object[first] = null_at(&schema["properties"][first], rest);
    object
}

/// An object with its required fields alone.
fn smallest(schema: &Value) -> Value {
    let mut object = json!({});
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let field = &schema["properties"][name];
        object[name] = match (field["type"].as_str(), &field["x-kubernetes-int-or-string"]) {
            (Some("string"), _) => json!("a"),
            (Some("integer"), _) | (None, Value::Bool(true)) => json!(1),
            (Some("boolean"), _) => json!(true),
            (Some("array"), _) => json!([]),
            _ => smallest(field),
        };
    }
    object
}
