//! What these tests stand on: four nodes with 64 GPUs each, models that load at once, and answers in real time.

use std::time::Duration;

use api::infra_example_com::v1::{NvidiaGpuLlm, NvidiaGpuLlmStatus, PromptState, PromptStatus};
use kube::api::ListParams;
use testkit::{Cluster, NodeOptions, NodeSpec, Records, Target, node::Speed};

use crate::{
    common::{Operator, PATIENCE, Space, scrape::scrape, stand},
    seen::{condition, wait_status},
};

/// Name of the Pod of every resource here, unless a test has several.
pub const POD: &str = "llm-pod";

/// The cluster of this program.
pub async fn cluster() -> &'static Cluster {
    stand::cluster_with(|| {
        let options = NodeOptions {
            speed: Speed {
                load: f64::INFINITY,
                generate: 1.0,
            },
            backoff_scale: 0.1,
            probe_scale: 0.2,
            ..NodeOptions::default()
        };
        let nodes = (0..4).map(|number| NodeSpec::h100(format!("gpu-{number}"), 64).room_for(110));
        nodes
            .fold(Cluster::builder(), testkit::ClusterBuilder::node)
            .node_options(options)
    })
    .await
}

/// A namespace with an operator.
pub async fn stand(prefix: &str) -> stand::Stand {
    stand_with(prefix, &[]).await
}

/// As [`stand`], with these flags too.
pub async fn stand_with(prefix: &str, args: &[&str]) -> stand::Stand {
    cluster().await;
    stand::Stand::with(prefix, args).await
}

/// What the engines of a namespace have received so far.
pub async fn journal(space: &Space) -> Records {
    cluster().await.nodes().unwrap().journal().of(&space.namespace)
}

/// How many times the weights of a model were pulled, and how many times it was read into memory.
pub fn pulled_and_loaded(journal: &Records, model: &str) -> (usize, usize) {
    let whole = format!("{model}:latest");
    let names = [model, whole.as_str()];
    let sum = |count: &dyn Fn(&str) -> usize| names.iter().map(|name| count(name)).sum();
    (
        sum(&|name| journal.downloads(name)),
        sum(&|name| journal.loads(name)),
    )
}

/// The Pod of a namespace, for faults.
pub fn pod(space: &Space) -> Target {
    Target::pods(&*space.namespace, POD)
}

/// Orders faults.
pub async fn faults() -> &'static testkit::Faults {
    cluster().await.nodes().unwrap().faults()
}

/// Lines of a spec that ask for these prompts.
pub fn prompts(prompts: &[&str]) -> String {
    let lines: Vec<String> = prompts
        .iter()
        .map(|prompt| format!("    - {}\n", serde_json::to_string(prompt).unwrap()))
        .collect();
    format!("  prompts:\n{}", lines.concat())
}

/// Waits until `count` prompts of the current generation, all of them, have ended.
pub async fn wait_prompts(space: &Space, name: &str, count: usize) -> NvidiaGpuLlmStatus {
    wait_status(space, name, "all prompts have ended", |status| {
        let answered = condition(status, "PromptsAnswered");
        let generation = answered.and_then(|answered| answered.observed_generation);
        let ended = |prompt: &PromptStatus| prompt.state != PromptState::Sending;
        status.prompts_generation == generation
            && status.prompts.len() == count
            && status.prompts.iter().all(ended)
    })
    .await
}

/// What became of the prompts.
pub fn states(status: &NvidiaGpuLlmStatus) -> Vec<PromptState> {
    status.prompts.iter().map(|prompt| prompt.state).collect()
}

/// Waits for so many more reconciles of resources.
pub async fn wait_reconciles(operator: &Operator, more: f64) {
    let count = async || {
        let name = "llm_operator_reconcile_duration_seconds_count";
        scrape(operator).await.sum(name, &[("kind", "NvidiaGpuLlm")])
    };
    let wanted = count().await + more;
    testkit::until("more reconciles", PATIENCE, async || {
        let done = count().await;
        (done >= wanted).then_some(()).ok_or(done.to_string())
    })
    .await
    .unwrap();
}

/// Waits until the engines have received this prompt.
pub async fn wait_asked(space: &Space, prompt: &str) {
    testkit::until(format!("{prompt:?} is received"), PATIENCE, async || {
        let asked = journal(space).await.times_asked(prompt);
        (asked > 0).then_some(())
    })
    .await
    .unwrap();
}

/// Waits until the operator has written nothing for `time`, Events included, which come after what they tell of.
pub async fn wait_rest(stand: &stand::Stand, time: Duration) {
    let mut last = (stand.writes(), std::time::Instant::now());
    testkit::until("the operator is at rest", PATIENCE, async || {
        let writes = stand.writes();
        if writes != last.0 {
            last = (writes, std::time::Instant::now());
        }
        (last.1.elapsed() >= time).then_some(())
    })
    .await
    .unwrap();
}

/// All resources of a namespace.
pub async fn all(space: &Space) -> Vec<NvidiaGpuLlm> {
    let api = space.api::<NvidiaGpuLlm>();
    api.list(&ListParams::default()).await.unwrap().items
}
