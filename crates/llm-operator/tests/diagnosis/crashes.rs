//! Containers that end.

use std::time::Duration;

use api::shared::State;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use testkit::Faults;

use crate::case::{Case, at_rest, bed, faults, generic, gpu_node, nodes, with};

fn vllm(product: &str, model: &str, args: Value) -> Value {
    json!({
        "modelName": model, "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm",
        "gpu": {"product": product}, "args": args,
    })
}

fn restarts(pods: &[Pod]) -> i32 {
    let statuses = pods
        .iter()
        .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref());
    statuses.flatten().map(|status| status.restart_count).sum()
}

/// Waits for the pause before the `restarts`-th restart; from the third on it lasts four seconds and more here.
async fn in_back_off(case: &Case<'_>, number: i32) {
    testkit::until(
        format!("restart {number} of {}", case.name),
        crate::common::PATIENCE,
        async || {
            let pods = case.pods().await;
            let waits = pods
                .iter()
                .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref())
                .flatten()
                .any(|status| {
                    status
                        .state
                        .as_ref()
                        .and_then(|state| state.waiting.as_ref())
                        .is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"))
                });
            (waits && restarts(&pods) >= number).then_some(())
        },
    )
    .await
    .unwrap();
}

/// Exit code and last words of a crash, and an out-of-memory kill; between two restarts nothing is written.
#[tokio::test]
async fn crash_loops() {
    let bed = bed().await;
    let space = bed.space("crashing").await;
    let order: &Faults = faults(bed);
    let small = with(&generic(), json!({"resources": {"cpu": "100m", "memory": "3Gi"}}));
    let (crash, memory) = (
        Case {
            space: &space,
            name: "crasher",
        },
        Case {
            space: &space,
            name: "glutton",
        },
    );
    order.crash_at_start(&crash.target(), 3, "RuntimeError: weights are torn");
    order.oom_at_start(&memory.target());
    Case::deploy(&space, "crasher", generic(), json!({})).await;
    Case::deploy(&space, "glutton", small, json!({})).await;

    let log = format!("kubectl logs -n {} crasher-", space.namespace);
    crash
        .blocked(
            "CrashLooping",
            &[
                "0 of 1 replicas serve",
                "Container engine of Pod crasher-",
                "exit code 3",
                "RuntimeError: weights are torn",
                &log,
                "-c engine --previous",
            ],
        )
        .await;
    memory
        .blocked(
            "OutOfMemory",
            &[
                "Container engine of Pod glutton-",
                "memory limit of 3Gi",
                "Raise the limit",
            ],
        )
        .await;
    for case in [&crash, &memory] {
        in_back_off(case, 3).await;
    }
    at_rest(&[&crash, &memory], Duration::from_secs(3)).await;
    crash.told("CrashLooping", State::Blocked, &["restarts: "]).await;
    crash.told_once("CrashLooping").await;
    memory.told_once("OutOfMemory").await;

    order.heal(&crash.target());
    order.heal(&memory.target());
    crash.healed().await;
    memory.healed().await;
}

/// The engine's own refusals: a flag that it does not know, a model larger than the GPU's memory, a gated model.
#[tokio::test]
async fn engines_that_refuse() {
    let bed = bed().await;
    let space = bed.space("refusing").await;
    nodes(bed)
        .add(gpu_node("refusals", "TEST-REFUSE", 81_559, 3))
        .await
        .unwrap();
    let flag = vllm(
        "TEST-REFUSE",
        "Qwen/Qwen2.5-0.5B-Instruct",
        json!(["--turbo-mode"]),
    );
    let large = vllm(
        "TEST-REFUSE",
        "Qwen/Qwen2.5-72B-Instruct",
        json!(["--max-model-len", "4096"]),
    );
    let gated = vllm("TEST-REFUSE", "meta-llama/Llama-3.1-8B-Instruct", json!([]));
    let flag = Case::deploy(&space, "misguided", flag, json!({})).await;
    let large = Case::deploy(&space, "too-large", large, json!({})).await;
    flag.blocked(
        "EngineRefusedArguments",
        &[
            "The engine refuses its command line",
            "container engine of Pod misguided-",
            "exit code 2",
            "unrecognized arguments: --turbo-mode",
            "Correct args",
        ],
    )
    .await;
    large
        .blocked(
            "GpuOutOfMemory",
            &[
                "The model does not fit into GPU memory",
                "container engine of Pod too-large-",
                "exit code 1",
                "Use more or larger GPUs",
            ],
        )
        .await;
    let gated = Case::deploy(&space, "uninvited", gated, json!({})).await;
    gated
        .blocked(
            "ModelAccessDenied",
            &[
                "The model cannot be fetched",
                "container engine of Pod uninvited-",
                "Access to model meta-llama/Llama-3.1-8B-Instruct is restricted",
                "a token that has it (HF_TOKEN)",
            ],
        )
        .await;
    let all = [&flag, &large, &gated];
    for case in all {
        in_back_off(case, 3).await;
    }
    at_rest(&all, Duration::from_secs(3)).await;
    gated.told_once("ModelAccessDenied").await;
    flag.told_once("EngineRefusedArguments").await;
    large.told_once("GpuOutOfMemory").await;
}

/// The init container that loads the weights fails, says why, and goes on by itself when the file is there.
#[tokio::test]
async fn weights_that_cannot_be_loaded() {
    let bed = bed().await;
    let space = bed.space("loading").await;
    let server = files::serve().await;
    let source = with(
        &generic(),
        json!({"source": {"uri": format!("http://{}/small.gguf", server.address)}}),
    );
    let case = Case::deploy(&space, "fetcher", source, json!({})).await;
    case.blocked(
        "CrashLooping",
        &[
            "Init container load-model of Pod fetcher-",
            "exit code 22",
            "cannot load http://",
            "/small.gguf: curl ended with 22",
            "-c load-model --previous",
        ],
    )
    .await;
    case.told_once("CrashLooping").await;
    server.publish();
    case.healed().await;
    case.told_once("CrashLooping").await;
}

mod files {
    //! A web server that does not have the file at first. It listens beside 127.0.0.1, which is the Pod itself to a Pod.

    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// The server; it ends with the test's runtime.
    pub struct Server {
        /// Where it listens.
        pub address: std::net::SocketAddr,
        published: Arc<AtomicBool>,
    }

    impl Server {
        /// The file exists from now on.
        pub fn publish(&self) {
            self.published.store(true, Ordering::SeqCst);
        }
    }

    /// Starts it.
    pub async fn serve() -> Server {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let published = Arc::new(AtomicBool::new(false));
        let is_there = Arc::clone(&published);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                // Whatever is asked for, the answer is the same.
                let _ = stream.read(&mut request).await;
                let answer = if is_there.load(Ordering::SeqCst) {
                    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nGGUF"
                } else {
                    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Server { address, published }
    }
}
