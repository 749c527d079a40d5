//! `AIDeployment`s through the pure pipeline and at real admission: no spec makes it panic, every rejection names its
//! field, and what a plan becomes the API server accepts. What a Pod template says beside that is passed on unjudged, so at
//! admission the template is a plain one.

use std::collections::BTreeSet;

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use controllers::{
    reason::Reason,
    render::{Input, RenderError, render},
    serving_kind::rejection::Rejection,
};
use kube::api::DynamicObject;
use proptest::{prelude::*, strategy::ValueTree as _};
use serde_json::{Value, json};
use serving::FieldError;

use crate::{
    admission::{apply, client, create, seeded},
    generate::{schema, specs},
};

/// Specs that are tried at admission unless the environment's `FUZZ_CASES` says otherwise.
const CASES: usize = 250;

/// What became of a spec.
enum Outcome {
    Objects(Vec<Value>),
    Rejected(Vec<FieldError>),
    /// A map or variant that it names is missing or may not be used; the sentence.
    Referent(String),
}

fn outcome(resource: AIDeployment) -> Outcome {
    let map = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap", "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "localai": [{"variant": "a", "uri": "http://h/a.gguf"}, {"variant": "small", "engineConfigFile": "name: a"}],
            "vllm": [{"variant": "a", "uri": "org/a", "dataType": "float16"}],
            "tensor_rt": [{"variant": "a", "uri": "https://h/a.tar.gz"}],
        },
    });
    let map: AIModelMap = serde_json::from_value(map).unwrap();
    let input = Input {
        model_maps: [(("default".to_owned(), "a".to_owned()), map.into())].into(),
        ai_deployments: vec![resource],
        operator_namespace: "llm-system".to_owned(),
        ..Input::default()
    };
    match render(&input).pop().unwrap() {
        Ok(rendered) => Outcome::Objects(rendered.objects),
        Err(RenderError::Rejected { rejection, .. }) => match rejection {
            Rejection::Invalid(wrong) => {
                Outcome::Rejected(wrong.into_iter().map(|wrong| wrong.error).collect())
            }
            other => {
                let known = [
                    Reason::InvalidSpec,
                    Reason::ModelMapNotFound,
                    Reason::VariantNotFound,
                    Reason::NotAllowed,
                ];
                assert!(known.contains(&other.reason()), "{other}");
                Outcome::Referent(other.to_string())
            }
        },
        Err(error) => panic!("{error}"),
    }
}

fn typed(spec: &Value) -> Option<AIDeployment> {
    serde_json::from_value(json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment",
        "metadata": {"name": "chat", "namespace": "default"}, "spec": spec,
    }))
    .ok()
}

/// Specs of which most have an engine that there is.
fn prem_specs(schema: &Value) -> BoxedStrategy<Value> {
    const ENGINES: [&str; 6] = [
        "localai",
        "vllm",
        "deepspeed-mii",
        "triton",
        "tensorrt",
        "generic",
    ];
    let engine = prop_oneof![12 => prop::sample::select(&ENGINES[..]).prop_map(Some), 1 => Just(None)];
    let merged = (specs(schema), engine).prop_map(|(mut spec, engine)| {
        if let (Some(engine), Some(fields)) = (engine, spec.as_object_mut()) {
            let slot = fields.entry("engine").or_insert_with(|| json!({}));
            if let Some(slot) = slot.as_object_mut() {
                slot.insert("name".to_owned(), json!(engine));
            }
        }
        spec
    });
    merged.boxed()
}

fn check_errors(errors: &[FieldError], fields: &BTreeSet<String>) {
    assert!(!errors.is_empty(), "a rejection without a reason");
    for error in errors {
        assert!(fields.contains(error.root()), "{error} names no field");
        assert!(error.message.len() > 8, "{error} says nothing");
    }
}

fn fields(schema: &Value) -> BTreeSet<String> {
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// Whatever the types allow comes out as objects or as named fields, never as a panic, and twice the same.
#[test]
fn no_prem_spec_makes_it_panic() {
    let schema = schema("AIDeployment");
    let fields = fields(&schema);
    let config = ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(spec in prem_specs(&schema))| {
        if let Some(resource) = typed(&spec) {
            match outcome(resource.clone()) {
                Outcome::Rejected(errors) => check_errors(&errors, &fields),
                Outcome::Referent(sentence) => prop_assert!(sentence.len() > 20, "{}", sentence),
                Outcome::Objects(objects) => {
                    prop_assert!(objects.len() >= 3);
                    let Outcome::Objects(again) = outcome(resource) else { panic!("not the same twice") };
                    prop_assert_eq!(objects, again);
                }
            }
        }
    });
}

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    rejected: usize,
    rendered: usize,
}

/// What the server stores and the plan accepts becomes objects that the server accepts.
#[tokio::test]
async fn accepted_prem_specs_become_accepted_objects() {
    let mut schema = schema("AIDeployment");
    let deployment = &mut schema["properties"]["deployment"]["properties"];
    deployment.as_object_mut().unwrap().remove("template");
    let fields = fields(&schema);
    let (client, mut runner, strategy) = (client().await, seeded(), prem_specs(&schema));
    let (mut tally, mut problems) = (Tally::default(), Vec::new());
    let cases = std::env::var("FUZZ_CASES").map_or(CASES, |text| text.parse().unwrap());
    for _ in 0..cases {
        let mut spec = strategy.new_tree(&mut runner).unwrap().current();
        if spec.pointer("/engine/name") == Some(&json!("generic")) {
            with_template(&mut spec);
        }
        without_files(&mut spec);
        let Ok(stored) = create(&client, "AIDeployment", "chat", &spec).await else {
            tally.refused += 1;
            continue;
        };
        match outcome(read(&stored)) {
            Outcome::Referent(_) => tally.rejected += 1,
            Outcome::Rejected(errors) => {
                tally.rejected += 1;
                check_errors(&errors, &fields);
            }
            Outcome::Objects(objects) => {
                tally.rendered += 1;
                for object in objects.iter().filter(|object| object["kind"] != "AIModelMap") {
                    let refusal = apply(&client, object).await;
                    problems
                        .extend(refusal.map(|refusal| format!("{refusal}\n   of {}", stored.data["spec"])));
                }
            }
        }
    }
    println!("{tally:?}");
    assert!(
        problems.is_empty(),
        "{} problems, {tally:?}:\n{}",
        problems.len(),
        problems.join("\n")
    );
    let least = cases / 10;
    assert!(tally.rejected > least && tally.rendered > least, "{tally:?}");
}

fn with_template(spec: &mut Value) {
    let fields = spec.as_object_mut().unwrap();
    let deployment = fields.entry("deployment").or_insert_with(|| json!({}));
    if let Some(deployment) = deployment.as_object_mut() {
        let container = json!({"name": "server", "image": "your-registry/gpt-small:v1"});
        deployment.insert(
            "template".to_owned(),
            json!({"spec": {"containers": [container]}}),
        );
    }
}

/// A variable out of a file needs a volume of the template, which has none.
fn without_files(spec: &mut Value) {
    if let Some(variables) = spec.pointer_mut("/env").and_then(Value::as_array_mut) {
        variables.retain(|variable| variable.pointer("/valueFrom/fileKeyRef").is_none());
    }
}

fn read(stored: &DynamicObject) -> AIDeployment {
    let text = stored.data["spec"].to_string();
    let resource = stored.clone().try_parse();
    resource.unwrap_or_else(|error| panic!("stored and not readable: {error}: {text}"))
}
