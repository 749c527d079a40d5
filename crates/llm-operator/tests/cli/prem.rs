//! `render` of the prem family.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    call::{call, render},
    common::root,
};

/// Every example becomes objects: each deployment its Deployment, Service and NetworkPolicy, and an Ingress when it has
/// an endpoint; each map its ConfigMap when it has files.
#[test]
fn every_example_renders() {
    let files = std::fs::read_dir(root().join("examples/prem")).unwrap();
    let mut args = vec!["render".to_owned()];
    let mut deployments = BTreeSet::new();
    let mut open = BTreeSet::new();
    for path in files.map(|file| file.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for resource in documents.iter().filter(|one| one["kind"] == "AIDeployment") {
            let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
            if resource["spec"]["endpoint"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
            {
                open.insert(name.clone());
            }
            deployments.insert(name);
        }
        args.extend(["-f".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    assert!(deployments.len() > 10, "{deployments:?}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = call(&args, "");
    let documents = outcome.documents();
    let names = |kind: &str| -> BTreeSet<String> {
        let of_kind = documents.iter().filter(|object| object["kind"] == kind);
        of_kind
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for kind in ["Deployment", "Service"] {
        assert_eq!(names(kind), deployments, "{kind}");
    }
    let guards: BTreeSet<String> = deployments
        .iter()
        .map(|name| format!("{name}-llm-operator"))
        .collect();
    assert_eq!(names("NetworkPolicy"), guards);
    assert_eq!(names("Ingress"), open);
    assert!(names("ConfigMap").contains("llama-3-8b"));
    assert_eq!(outcome.out, call(&args, "").out, "twice the same");
}

const MAP: &str = "
apiVersion: premlabs.io/v1alpha1
kind: AIModelMap
metadata:
  name: phi
spec:
  localai:
    - {variant: a, engineConfigFile: 'x: 1'}
    - {variant: b}
";

const USER: &str = "
apiVersion: premlabs.io/v1alpha1
kind: AIDeployment
metadata:
  name: chat
spec:
  engine: {name: vllm}
  models:
    - modelMapRef: {name: phi, variant: a}
";

/// A map is dereferenced as when the operator runs, and its own files are shown.
#[test]
fn maps_are_looked_up_and_shown() {
    let alone = render(MAP);
    let map = alone.named("ConfigMap", "phi");
    assert_eq!(map["data"]["localai-a-engineConfigFile"], "x: 1");
    assert_eq!(
        map["metadata"]["labels"]["mlcontroller.premlabs.io/aimodelmap"],
        "phi"
    );

    let without = render(USER);
    assert_eq!(without.code, 1);
    assert!(
        without.err.contains("AIDeployment default/chat") && without.err.contains("phi"),
        "{}",
        without.err
    );
    let wrong_list = render(&[MAP, USER].join("\n---\n"));
    assert_eq!(wrong_list.code, 1);
    assert!(
        wrong_list.err.contains("1 of 2 resources cannot be rendered"),
        "{}",
        wrong_list.err
    );
    let right = USER.replace("vllm", "localai");
    assert_eq!(
        render(&[MAP, &right].join("\n---\n")).named("Deployment", "chat")["spec"]["template"]["spec"]["containers"]
            [0]["name"],
        "serving"
    );
}

/// A name that is too long for a key of a ConfigMap is refused by field.
#[test]
fn a_map_that_cannot_be_used_is_refused_by_field() {
    let long = format!("variant: {}, engineConfigFile: 'y: 2'", "b".repeat(240));
    let outcome = render(&MAP.replace("variant: b", &long));
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .err
            .contains("AIModelMap default/phi: AIModelMap phi spec.localai[1].variant"),
        "{}",
        outcome.err
    );
}
