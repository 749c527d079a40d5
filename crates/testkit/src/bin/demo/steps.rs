//! The demo's steps, in order.
//!
//! In: the repository's manifests and examples. Out: a cluster that serves them, or which step failed and why.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use engine_sim::Speed;
use testkit::{
    Cluster, NodeOptions, NodeSpec, OperatorProcess,
    manifests::{self, Definitions},
};

use super::{answer, by_name, kubectl::kubectl, progress::Progress, prompts, states};

/// Examples as `kubectl apply -f` takes them, each with its story.
const EXAMPLES: [(&str, &str); 7] = [
    (
        "examples/llm",
        "models and deployments of them, from 1 to 72 billion parameters",
    ),
    (
        "examples/test.yaml",
        "LocalAI fetches tinyllama-chat from its gallery and runs it on CPUs, under foo.127.0.0.1.nip.io",
    ),
    (
        "examples/prem/vllm.yaml",
        "vLLM with Mistral 7B on one GPU, in a namespace of its own",
    ),
    (
        "examples/prem/deepspeed-mii.yaml",
        "DeepSpeed-MII with phi-2: its backend opens port 50051 when the model is loaded",
    ),
    (
        "examples/prem/triton.yaml",
        "Triton: an init container downloads an archive and unpacks the model repository",
    ),
    (
        "examples/prem/generic.yaml",
        "any container: a script on Bun, with probes and ports of its own",
    ),
    (
        "manifest-controller/nvidia-gpu-llm-cr.yaml",
        "one Pod with Ollama, which pulls TinyLlama and is sent a prompt",
    ),
];
/// Who is asked: selector of the Pods, port, and the model's name.
const ASKED: [(&str, u16, &str); 5] = [
    ("llm-operator.io/name=qwen-7b", 8000, "qwen2.5-7b"),
    (
        "mlcontroller.premlabs.io/ai-deployment=simple",
        8080,
        "tinyllama-chat",
    ),
    ("llm-operator.io/name=tinyllama-demo", 11434, "tinyllama"),
    ("llm-operator.io/name=phi-4-mini", 8000, "phi-4-mini"),
    ("llm-operator.io/name=assistant", 8000, "qwen2.5-1.5b"),
];
const QUESTION: &str = "What does an operator do?";
/// How the API server reaches the decided numbers of replicas at an operator outside the cluster.
const EXTERNAL_METRICS: [&str; 4] = [
    "--external-metrics-address",
    "127.0.0.1:0",
    "--external-metrics-host",
    "localhost",
];
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

    for (files, story) in EXAMPLES {
        progress.say(&format!("kubectl apply -f {files}: {story}"));
        print!("{}", kubectl(&cluster, &["apply", "-f", files])?);
    }
    by_name::apply(&cluster, &progress)?;
    states::wait_until_served(&cluster, &progress).await?;
    for what in [
        "llmdeployments",
        "aideployments -A",
        "nvidiagpullms",
        "deployments,services,ingresses,pods -A",
    ] {
        let args: Vec<&str> = ["get"]
            .into_iter()
            .chain(what.split(' '))
            .chain(["-o", "wide"])
            .collect();
        println!("\n$ kubectl {}\n{}", args.join(" "), kubectl(&cluster, &args)?);
    }
    for asked in ASKED {
        converse(&cluster, asked).await?;
    }
    prompts::show(&cluster, "tinyllama-demo").await?;
    by_name::show_promise(&cluster, &progress).await?;
    if once {
        println!("\ndemo: everything serves");
        return Ok(());
    }
    println!("\nThe cluster stays up until Ctrl-C. In another terminal:");
    println!("  export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("  {} get llm-operator -A", cluster.kubectl_path().display());
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
    let definitions = manifests::definitions(operator, Definitions::Own).await;
    let definitions = definitions.map_err(|error| error.to_string())?;
    let roles = manifests::roles(Path::new(".")).map_err(|error| error.to_string())?;
    cluster
        .apply_yaml(&[definitions, roles].join("\n---\n"))
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}

async fn start_operator(cluster: &Cluster, binary: &Path) -> Result<(OperatorProcess, String), String> {
    let access = manifests::access(cluster)
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
        .args(EXTERNAL_METRICS)
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

async fn converse(cluster: &Cluster, (selector, port, model): (&str, u16, &str)) -> Result<(), String> {
    let path = "jsonpath={.items[0].status.podIP}";
    let address = kubectl(cluster, &["get", "pods", "-l", selector, "-o", path])?;
    let base = format!("http://{address}:{port}");
    println!("$ curl {base}/v1/chat/completions   # {model}, streamed: \"{QUESTION}\"");
    answer::ask(&base, model, QUESTION).await.map(drop)
}
