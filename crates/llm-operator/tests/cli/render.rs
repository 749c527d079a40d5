//! `render`: what a person sees before anything is applied.

use serde_json::{Value, json};

use crate::{
    call::{TemporaryFile, call, render},
    common::{chat_service, gpt_small, root},
};

/// Every example becomes the objects that were reviewed, to the byte.
#[test]
fn examples_are_as_reviewed() {
    let mut files: Vec<_> = std::fs::read_dir(root().join("examples/llm"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    let mut args = vec!["render".to_owned()];
    for file in files {
        args.extend(["-f".to_owned(), file.to_str().unwrap().to_owned()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let first = call(&args, "");
    assert_eq!(first.code, 0, "{}", first.err);
    assert_eq!(first.out, call(&args, "").out, "twice the same");
    // A hash changes with what it is over, which is all in the snapshot already.
    let reviewed: Vec<&str> = first
        .out
        .lines()
        .filter(|line| !line.contains("applied-hash"))
        .collect();
    insta::assert_snapshot!("examples", reviewed.join("\n"));
}

/// Standard input, several documents, other people's kinds: only ours count.
/// Promises: S2-10, S2-11
#[test]
fn standard_input_and_other_kinds() {
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\ndata: {a: b}\n";
    let empty = "# nothing but a remark\n";
    let text = [other, &gpt_small(), empty, &chat_service()].join("\n---\n");
    let outcome = render(&text);
    let kinds: Vec<Value> = outcome
        .documents()
        .iter()
        .map(|object| object["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["NetworkPolicy", "Service", "PodDisruptionBudget", "Deployment"]
    );
    assert_eq!(outcome.err, "");
    let deployment = outcome.named("Deployment", "chat-service");
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["metadata"]["namespace"], "default");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "your-registry/gpt-small:v1");
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}})
    );
    let service = outcome.named("Service", "chat-service");
    assert_eq!(service["spec"]["ports"][0]["port"], 8080);
}

/// What `kubectl get -o yaml` prints is a list; it may be piped in as it is, and lists may be empty.
#[test]
fn lists_are_taken_apart() {
    let read = |text: &str| -> Value { serde_saphyr::from_str(text).unwrap() };
    let list = json!({
        "apiVersion": "v1", "kind": "List", "metadata": {},
        "items": [read(&chat_service()), read(&gpt_small())],
    });
    let empty = json!({"apiVersion": "v1", "kind": "List", "items": []});
    let piped = render(&format!("{list}\n---\n{empty}\n"));
    let separate = render(&[gpt_small(), chat_service()].join("\n---\n"));
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert_eq!(piped.out, separate.out, "in whatever order they come");
}

/// Namespaces: the resource's own, or the one that is given; models are found in the deployment's namespace only.
#[test]
fn namespaces() {
    let text = [gpt_small(), chat_service()].join("\n---\n");
    let outcome = call(&["render", "-f", "-", "-n", "team-a"], &text);
    for object in outcome.documents() {
        assert_eq!(object["metadata"]["namespace"], "team-a");
    }
    let elsewhere = text.replacen("name: chat-service", "name: chat-service\n  namespace: team-b", 1);
    let outcome = render(&elsewhere);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.err.contains("LLMDeployment team-b/chat-service")
            && outcome.err.contains("LLMModel gpt-small does not exist"),
        "{}",
        outcome.err
    );
}

/// Nodes as files: which of them could carry a replica is told on standard error, the objects stay the same.
/// Promises: S2-19, S2-20
#[test]
fn nodes_tell_where_it_would_run() {
    let node = |name: &str, product: &str, memory: &str, count: &str| {
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {
                "nvidia.com/gpu.product": product, "nvidia.com/gpu.memory": memory,
            }},
            "status": {
                "allocatable": {"nvidia.com/gpu": count, "cpu": "64", "memory": "512Gi"},
                "capacity": {"nvidia.com/gpu": count, "cpu": "64", "memory": "512Gi"},
            },
        })
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        node("l4", "NVIDIA-L4", "23034", "8"),
        node("a100-small", "NVIDIA-A100-SXM4-40GB", "40960", "8"),
        node("a100", "NVIDIA-A100-SXM4-80GB", "81920", "8"),
        node("h100-pair", "NVIDIA-H100-80GB-HBM3", "81559", "2"),
    ]});
    let nodes = TemporaryFile::new(&list.to_string());
    let file = root().join("examples/llm/vllm-qwen-72b.yaml");
    let plain = call(&["render", "-f", file.to_str().unwrap()], "");
    let with = call(
        &["render", "-f", file.to_str().unwrap(), "--nodes", nodes.path()],
        "",
    );
    assert_eq!(with.code, 0, "{}", with.err);
    assert_eq!(with.out, plain.out);
    assert!(
        with.err.contains("4 x GPU of 80Gi per replica: carried by a100"),
        "{}",
        with.err
    );
    for other in ["l4", "a100-small", "h100-pair"] {
        assert!(!with.err.contains(other), "{}", with.err);
    }
    let small = TemporaryFile::new(&node("l4", "NVIDIA-L4", "23034", "8").to_string());
    let without = call(
        &["render", "-f", file.to_str().unwrap(), "--nodes", small.path()],
        "",
    );
    assert!(
        without
            .err
            .contains("no node of the 1 given carries 4 x GPU of 80Gi"),
        "{}",
        without.err
    );
}
