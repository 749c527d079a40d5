//! The demo's steps, in order.
//!
//! In: the repository's manifests and examples. Out: a cluster that serves them, or which step failed and why.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use engine_sim::Speed;
use serde_json::Value;
use testkit::{Cluster, NodeOptions, NodeSpec, OperatorProcess};

use super::{answer, progress::Progress};

/// The manifests that are the operator's own.
const MANIFESTS: [&str; 5] = [
    "config/manager/namespace.yaml",
    "config/rbac/service_account.yaml",
    "config/rbac/cluster_role.yaml",
    "config/rbac/cluster_role_binding.yaml",
    "config/rbac/leader_election_role.yaml",
];
/// The examples of this family.
const EXAMPLES: &str = "examples/llm";
/// The example that is asked, and its model's name.
const ASKED: (&str, &str) = ("qwen-7b", "qwen2.5-7b");
/// How long the examples may take to serve.
const LIMIT: Duration = Duration::from_mins(5);
/// Simulated weights load this much faster than real ones.
const LOADING: f64 = 10.0;

/// Runs the demo; with `once` it returns after the answer, else it stays until it is dropped.
pub async fn demo(once: bool) -> Result<(), String> {
    let progress = Progress::new();
    let operator_binary = beside_this("llm-operator")?;
    progress.say("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler (the first time builds them: about five minutes)");
    let options = NodeOptions {
        speed: Speed::loading(LOADING),
        ..NodeOptions::default()
    };
    let cluster = Cluster::builder()
        .node_options(options)
        .node(NodeSpec::h100("gpu-0", 8))
        .node(NodeSpec::h100("gpu-1", 8))
        .start()
        .await
        .map_err(|error| error.to_string())?;
    progress.say("the cluster runs: a real control plane, two simulated nodes with 8 x H100 each");

    install(&cluster, &operator_binary).await?;
    progress.say("custom resource definitions, ServiceAccount and roles are installed");
    let (operator, url) = start_operator(&cluster, &operator_binary).await?;
    progress.say(&format!("the operator runs ({url}/metrics)"));

    let output = kubectl(&cluster, &["apply", "-f", EXAMPLES])?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    wait_until_served(&cluster, &progress).await?;
    for kinds in ["llmdeployments", "deployments,services,pods"] {
        let table = kubectl(&cluster, &["get", kinds, "-o", "wide"])?;
        println!(
            "\n$ kubectl get {kinds} -o wide\n{}",
            String::from_utf8_lossy(&table.stdout)
        );
    }
    converse(&cluster).await?;
    if once {
        println!("\ndemo: everything serves");
        return Ok(());
    }
    println!("\nThe cluster stays up until Ctrl-C. In another terminal:");
    println!("  export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("  {} get llmdeployments", cluster.kubectl_path().display());
    let _running = operator;
    std::future::pending().await
}

/// A program built beside this one.
fn beside_this(name: &str) -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let path = this.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{} is not there; run `make demo`, or `cargo build -p {name}` first",
        path.display()
    ))
}

async fn install(cluster: &Cluster, operator: &Path) -> Result<(), String> {
    let crds = Command::new(operator)
        .arg("crds")
        .output()
        .map_err(|error| error.to_string())?;
    let mut yaml = String::from_utf8_lossy(&crds.stdout).into_owned();
    for file in MANIFESTS {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("{file}: {error}; run the demo from the root of the repository"))?;
        yaml.push_str("\n---\n");
        yaml.push_str(&text);
    }
    cluster
        .apply_yaml(&yaml)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}

async fn start_operator(cluster: &Cluster, binary: &Path) -> Result<(OperatorProcess, String), String> {
    let access = cluster
        .service_account("llm-system", "llm-operator")
        .await
        .map_err(|error| error.to_string())?;
    let kubeconfig = cluster.directory().join("operator.kubeconfig");
    access
        .write_kubeconfig(&kubeconfig)
        .map_err(|error| error.to_string())?;
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?;
    let mut operator = OperatorProcess::builder(binary)
        .args(["run", "--http-address", &address.to_string()])
        .kubeconfig(&kubeconfig)
        .log(cluster.directory().join("operator.log"))
        .start()
        .map_err(|error| error.to_string())?;
    let url = format!("http://{address}");
    operator
        .wait_ready(&format!("{url}/readyz"), Duration::from_mins(1))
        .await
        .map_err(|error| error.to_string())?;
    Ok((operator, url))
}

/// Prints each change of state until every example is Ready.
async fn wait_until_served(cluster: &Cluster, progress: &Progress) -> Result<(), String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let all_ready = testkit::until("the examples to serve", LIMIT, async || {
        let seen = states(cluster)?;
        for (name, (words, _)) in &seen {
            if told.get(name) != Some(words) {
                progress.say(&format!("{name:<14} {words}"));
                told.insert(name.clone(), words.clone());
            }
        }
        let waiting: Vec<&str> = seen
            .iter()
            .filter(|(_, (_, ready))| !ready)
            .map(|(name, _)| name.as_str())
            .collect();
        if !seen.is_empty() && waiting.is_empty() {
            Ok(())
        } else {
            Err(format!("{} not ready", waiting.join(", ")))
        }
    });
    all_ready.await.map_err(|error| error.to_string())
}

/// Words and readiness of every LLMDeployment.
fn states(cluster: &Cluster) -> Result<BTreeMap<String, (String, bool)>, String> {
    let output = kubectl(cluster, &["get", "llmdeployments", "-o", "json"])?;
    let list: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(items
        .iter()
        .map(|item| {
            let state = text(&item["status"]["state"]);
            let conditions = item["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
            let message = ready
                .map(|condition| text(&condition["message"]))
                .unwrap_or_default();
            (
                text(&item["metadata"]["name"]),
                (format!("{state:<12} {message}"), state == "Ready"),
            )
        })
        .collect())
}

async fn converse(cluster: &Cluster) -> Result<(), String> {
    let (deployment, model) = ASKED;
    let selector = format!("llm-operator.io/name={deployment}");
    let output = kubectl(
        cluster,
        &[
            "get",
            "pods",
            "-l",
            &selector,
            "-o",
            "jsonpath={.items[0].status.podIP}",
        ],
    )?;
    let address = String::from_utf8_lossy(&output.stdout).into_owned();
    let question = "What does an operator do?";
    println!("$ curl http://{address}:8000/v1/chat/completions   # {model}, streamed: \"{question}\"");
    answer::ask(&format!("http://{address}:8000"), model, question)
        .await
        .map(drop)
}

fn kubectl(cluster: &Cluster, args: &[&str]) -> Result<Output, String> {
    let output = Command::new(cluster.kubectl_path())
        .env("KUBECONFIG", cluster.kubeconfig())
        .args(args)
        .output()
        .map_err(|error| format!("kubectl: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "kubectl {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
