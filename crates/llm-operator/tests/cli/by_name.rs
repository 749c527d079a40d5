//! `render` of kinds that name a model of the catalogue.

use serde_json::{Value, json};

use crate::{
    call::{TemporaryFile, call, render},
    common::root,
};

fn example(name: &str) -> String {
    root().join("examples/ai").join(name).to_str().unwrap().to_owned()
}

fn node(product: &str, memory: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "gpu", "labels": {"nvidia.com/gpu.product": product, "nvidia.com/gpu.memory": memory}},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}, "capacity": {"nvidia.com/gpu": "8"}},
    })
}

/// The documents' three examples become the objects that were reviewed, to the byte.
#[test]
fn the_documents_examples_are_as_reviewed() {
    let nodes = TemporaryFile::new(&node("NVIDIA-H100-80GB-HBM3", "81559").to_string());
    for (file, words) in [
        ("llm-model.yaml", "llm_model"),
        ("model-deployment.yaml", "model_deployment"),
        ("dynamo-graph-deployment.yaml", "dynamo_graph_deployment"),
    ] {
        let file = example(file);
        let args = ["render", "-f", &file, "--nodes", nodes.path()];
        let first = call(&args, "");
        assert_eq!(first.code, 0, "{}", first.err);
        assert_eq!(first.out, call(&args, "").out, "twice the same");
        // A hash changes with what it is over, which is all in the snapshot already.
        let reviewed: Vec<&str> = first
            .out
            .lines()
            .filter(|line| !line.contains("applied-hash"))
            .collect();
        insta::assert_snapshot!(words, reviewed.join("\n"));
    }
}

/// Without nodes a type of GPU is enough, and without either it is asked for.
#[test]
fn the_gpus_must_be_known() {
    let resource = |spec: Value| {
        json!({"apiVersion": "ai.example.com/v1", "kind": "LLMModel", "metadata": {"name": "phi-4"}, "spec": spec}).to_string()
    };
    let outcome = render(&resource(json!({})));
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.err.contains("spec.gpuType") && outcome.err.contains("H100"),
        "{}",
        outcome.err
    );
    let typed = render(&resource(json!({"gpuType": "H100"})));
    let deployment = typed.named("Deployment", "phi-4");
    let engine = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(engine["resources"]["limits"]["nvidia.com/gpu"], "1");
    let file = TemporaryFile::new(&resource(json!({})));
    let nodes = TemporaryFile::new(&node("NVIDIA-L4", "23034").to_string());
    let on_l4 = call(&["render", "-f", file.path(), "--nodes", nodes.path()], "");
    let deployment = on_l4.named("Deployment", "phi-4");
    let engine = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        engine["resources"]["limits"]["nvidia.com/gpu"], "2",
        "{}",
        on_l4.err
    );
}

/// The cluster's catalogue may be among the files.
#[test]
fn the_clusters_catalogue() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llm-operator-models", "namespace": "llm-system"},
        "data": {"house": "source: hf://house/chat\nparameters: 7B\nlayers: 32\nheads: 32\nheadDim: 128\ncontext: 8192\n"}});
    let model = json!({"apiVersion": "ai.example.com/v1", "kind": "ModelDeployment", "metadata": {"name": "chat"},
        "spec": {"model": "house", "gpuType": "H100"}});
    let outcome = render(&format!("{model}\n---\n{map}\n"));
    let set = outcome.named("StatefulSet", "chat");
    let engine = &set["spec"]["template"]["spec"]["containers"][0];
    assert!(engine["args"].to_string().contains("house/chat"), "{engine}");
    let alone = render(&model.to_string());
    assert!(
        alone.code == 1 && alone.err.contains("the catalogue has no model \"house\""),
        "{}",
        alone.err
    );
}
